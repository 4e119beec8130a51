"""gzip of API responses in the embedded profile; in production nginx compresses."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

MIN_BYTES: Final = 1_000
# Pages are left out: they hold form tokens beside text that came from outside (BREACH).
_TYPES: Final = (
    "application/json",
    "application/x-ndjson",
    "application/vnd.oai.openapi",
    "text/calendar",
    "text/csv",
)


class Compress(GZipMiddleware):
    """Django's GZipMiddleware, for the API's own media types only.

    It weakens the ETag of a compressed response; `If-None-Match` and `If-Match` accept both forms.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith(_TYPES):
            return response
        if isinstance(response, HttpResponse) and len(response.content) < MIN_BYTES:
            return response
        return super().process_response(request, response)
