"""The two response envelopes: success and error."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.response import Response

from kaivox.api.encoders import encode
from kaivox.api.logging import current_request_id


class EnvelopeResponse(Response):
    """A success: `data` for the envelope, `meta` beside it (`request_id` is added).

    `secret_fields` of `data` are shown once: a replayed response does not have them.
    """

    secret_fields: Collection[str] = ()
    links: Sequence[str] = ()  # for the header Link (RFC 8288), beside those of the view

    def __init__(
        self,
        data: Any,
        *,
        meta: Mapping[str, Any] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.meta = dict(meta or {})


def error_body(
    code: str,
    message: str,
    errors: Mapping[str, Sequence[str]] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The error envelope. `errors` is `{}` where no field is to blame."""
    return {
        "success": False,
        "code": code,
        "message": message,
        "errors": errors or {},
        "doc_url": f"{settings.PUBLIC_URL}/docs/errors#{code}",
        "meta": {"request_id": current_request_id.get(), **(meta or {})},
    }


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    errors: Mapping[str, Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The error envelope where no view runs: middleware, Django's own 400, 404 and 500."""
    return HttpResponse(
        encode(error_body(code, message, errors)),
        status=status,
        content_type="application/json",
        headers=dict(headers or {}),
    )
