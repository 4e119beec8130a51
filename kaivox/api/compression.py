"""gzip of API responses in the embedded profile; in production nginx compresses."""

from __future__ import annotations

import re
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.decorators import decorator_from_middleware

MIN_BYTES: Final = 1_000
_NO_WEIGHT: Final = re.compile(r"q\s*=\s*0(\.0{0,3})?")
# Pages are left out: they hold form tokens beside text that came from outside (BREACH).
_TYPES: Final = (
    "application/json",
    "application/x-ndjson",
    "application/vnd.oai.openapi",
    "text/calendar",
    "text/csv",
)


class RefusableGZip(GZipMiddleware):
    """Django's GZipMiddleware, for clients that accept gzip: Django's finds it in `gzip;q=0` too."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if _refuses_gzip(request.headers.get("Accept-Encoding", "")):
            patch_vary_headers(response, ("Accept-Encoding",))
            return response
        return super().process_response(request, response)


def _refuses_gzip(accepted: str) -> bool:
    """Whether `accepted`, a header Accept-Encoding, gives gzip the weight 0 (RFC 9110 §12.5.3)."""
    for item in accepted.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return _NO_WEIGHT.fullmatch(weight.strip()) is not None
    return False


gzip_page = decorator_from_middleware(RefusableGZip)


class Compress(RefusableGZip):
    """For the API's own media types only.

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
