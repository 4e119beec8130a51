"""A person who has signed in to the browsable API with a key: the session knows which key it was,
and never the key itself. Revoking it ends that at the next request, as everywhere."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from kaivox.businesses import keys
from kaivox.businesses.authentication import REALM
from kaivox.businesses.key_cache import find_key
from kaivox.businesses.models import ApiKey

_NAME: Final = "api_key_id"


class BrowserKeyAuthentication(SessionAuthentication):
    """The key of the session, with Django's CSRF check, as the browser sends the session unasked."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        session = getattr(request._request, "session", None)  # none yet at the door
        key_id = None if session is None else session.get(_NAME)
        if key_id is None:
            return None
        keys_now = ApiKey.objects.live(timezone.now()).select_related(*settings.API_KEY_RELATED)
        key = keys_now.filter(pk=key_id).first()
        if key is None:
            return None
        self.enforce_csrf(request)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return REALM


def sign_in_with_key(request: HttpRequest, secret: str) -> bool:
    """Whether `secret` opens the door now; if so this session goes on as its key."""
    key = find_key(secret) if keys.is_well_formed(secret) else None
    now = timezone.now()
    if key is None or key.is_revoked(now) or key.is_expired(now):
        return False
    request.session.cycle_key()
    request.session[_NAME] = key.pk
    return True


def forget_key(request: HttpRequest) -> None:
    request.session.pop(_NAME, None)
