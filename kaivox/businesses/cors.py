"""Which web pages may call the API? Those whose origin the business has named; none by default.

A preflight carries no key, so nobody knows yet for which business it asks: it passes when any
business names the origin. The answer that follows is readable only where the key's own business
does. Preflights end here and cost no quota.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult

from corsheaders.middleware import CorsMiddleware
from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from kaivox.businesses.models import ORIGIN, Business


class BusinessCorsMiddleware(CorsMiddleware):
    """django-cors-headers with its allow-list kept by each business."""

    def add_response_headers(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if getattr(request, "_cors_enabled", False):
            origin = request.headers.get("origin")
            request._cors_enabled = origin is None or _is_allowed(request, origin)  # type: ignore[attr-defined]
            if not request._cors_enabled:  # type: ignore[attr-defined]
                patch_vary_headers(response, ("origin",))
        return super().add_response_headers(request, response)

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        return True  # asked only of origins that `_is_allowed` let through


def _is_allowed(request: HttpRequest, origin: str) -> bool:
    caller: Any = getattr(request, "caller", None)
    if caller is not None:
        return origin in caller.business.cors_origins
    if not ORIGIN.fullmatch(origin):
        return False
    named = Business.objects.filter(suspended_at=None, cors_origins__icontains=f'"{origin}"')
    try:
        return any(origin in origins for origins in named.values_list("cors_origins", flat=True))
    except DatabaseError:
        return False  # the answer itself is the view's to give
