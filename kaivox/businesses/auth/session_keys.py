"""Sessions of the browsable API that were opened with an API key.

The session stores the id of the key, never the key itself, so revoking the key ends the session's
access at the next request.
"""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from kaivox.api.request_context import context_of
from kaivox.businesses.audit import set_current_actor
from kaivox.businesses.auth import key_format
from kaivox.businesses.auth.authentication import REALM, find_api_key
from kaivox.businesses.auth.csrf import CsrfCheckedSessionAuthentication
from kaivox.businesses.models import ApiKey

_NAME: Final = "api_key_id"


class BrowserKeyAuthentication(CsrfCheckedSessionAuthentication):
    """The key of the session, with Django's CSRF check, as browsers send the session cookie with every request."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        key_id = request._request.session.get(_NAME)
        if key_id is None:
            return None
        live = ApiKey.objects.live(timezone.now())
        key = live.for_authentication().filter(pk=key_id).first()
        if key is None:
            return None
        self.enforce_csrf(request)
        context_of(request).caller = key
        set_current_actor(key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return REALM


def sign_in_with_key(request: HttpRequest, secret: str) -> bool:
    """Whether `secret` is a valid key; if so, this session is authenticated with it from now on."""
    key = find_api_key(secret) if key_format.is_well_formed(secret) else None
    now = timezone.now()
    if key is None or key.is_revoked(now) or key.is_expired(now):
        return False
    request.session.cycle_key()
    request.session[_NAME] = key.pk
    return True


def forget_key(request: HttpRequest) -> None:
    request.session.pop(_NAME, None)
