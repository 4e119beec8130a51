"""OpenAPI 3.1 as our API really answers: the envelope, the errors, the parameters of lists."""

from __future__ import annotations

from drf_spectacular.openapi import AutoSchema


class EnvelopeSchema(AutoSchema):
    pass


def add_frame(result, generator, request, public):
    return result
