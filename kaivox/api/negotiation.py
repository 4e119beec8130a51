"""Which form an answer takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JsonUnlessAskedOtherwise(DefaultContentNegotiation):
    """DRF's rules, but `*/*` and an absent Accept always mean JSON, and an Accept that nothing here
    can satisfy is told so (406) in JSON."""

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        return super().select_renderer(request, renderers, format_suffix)
