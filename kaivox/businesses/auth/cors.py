"""CORS with an allow-list of origins per business; empty by default.

A preflight carries no key, so its business is unknown: it passes when any business lists the origin.
The response to the actual request is readable only if the key's own business lists it. Preflights
are answered here and cost no quota.
"""

from __future__ import annotations

from urllib.parse import SplitResult

from corsheaders.middleware import CorsMiddleware
from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from kaivox.api.request_context import context_of
from kaivox.businesses.models import Business
from kaivox.businesses.setting_rules import ORIGIN


class BusinessCorsMiddleware(CorsMiddleware):
    """django-cors-headers with the allow-list of the caller's business."""

    def add_response_headers(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if getattr(request, "_cors_enabled", False):
            origin = request.headers.get("origin")
            allowed = origin is None or _is_allowed(request, origin)
            vars(request)["_cors_enabled"] = allowed  # an attribute of django-cors-headers
            if not allowed:
                patch_vary_headers(response, ("origin",))
        return super().add_response_headers(request, response)

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        return True  # called only for origins that passed `_is_allowed`


def _is_allowed(request: HttpRequest, origin: str) -> bool:
    caller = context_of(request).caller
    if caller is not None:
        return origin in caller.business.cors_origins
    if not ORIGIN.fullmatch(origin):
        return False
    named = Business.objects.filter(suspended_at=None, cors_origins__icontains=f'"{origin}"')
    try:
        return any(origin in origins for origins in named.values_list("cors_origins", flat=True))
    except DatabaseError:
        return False  # the view responds 503 by itself
