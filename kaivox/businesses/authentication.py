"""Who is calling? Three ways to hand in a key, and a person of the staff in a browser.

`X-API-Key`, else `Authorization: Bearer`, else `?api_key=`: the first that is there decides, even
when it is wrong. An `Authorization` of another scheme belongs to somebody else and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from kaivox.businesses import keys
from kaivox.businesses.key_cache import find_key, is_remembered
from kaivox.businesses.known_keys import may_be_known
from kaivox.businesses.marks import Mark, read_mark
from kaivox.businesses.models import ApiKey, Business, Membership, Role
from kaivox.businesses.scopes import ALL_SCOPES, READ_SCOPES
from kaivox.businesses.second_factor import lacks_second_factor

REALM: Final = 'Bearer realm="KaiVox"'


class MissingApiKey(NotAuthenticated):
    default_code = "missing_api_key"
    default_detail = (
        "Send your API key in the header X-API-Key, or as Authorization: Bearer, or as ?api_key=."
    )


class InvalidApiKey(AuthenticationFailed):
    """Unknown, malformed, revoked, or not accepted in the URL: one and the same answer."""

    default_code = "invalid_api_key"
    default_detail = "This API key is not valid."


class ExpiredApiKey(AuthenticationFailed):
    default_code = "expired_api_key"
    default_detail = "This API key has expired. Issue a new one."


class TooManyBadKeys(APIException):
    """`wait` in seconds becomes `Retry-After`."""

    status_code = 429
    default_code = "rate_limit_exceeded"
    default_detail = "Too many requests without a valid API key came from your address."

    def __init__(self, *, wait: int) -> None:
        super().__init__()
        self.wait = wait


class KeyAuthentication(BaseAuthentication):
    """Base of the three ways; each says where its key stands."""

    in_url: ClassVar[bool] = False

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        secret = self.secret_of(request)
        if not secret:
            return None
        # Known already where it was asked at the door (`kaivox.api.unchanged`).
        known = getattr(request._request, "caller", None)
        key = known if isinstance(known, ApiKey) else self._key_of(secret, request)
        # For middleware, which never sees REST framework's request.
        request._request.caller = key  # type: ignore[attr-defined]
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return REALM

    def secret_of(self, request: Request) -> str | None:
        raise NotImplementedError

    def _key_of(self, secret: str, request: Request) -> ApiKey:
        if not keys.is_well_formed(secret):
            raise InvalidApiKey
        _refuse_guessers(secret, request)
        now = timezone.now()
        key = find_key(secret, partial(self._read_mark, request, now))
        if key is None:
            raise InvalidApiKey
        refusal = self._refusal_of(key, now)
        if refusal is not None:
            raise refusal
        return key

    def _read_mark(self, request: Request, now: datetime, key: ApiKey, seen: Mark) -> Mark:
        """Redis is asked once for a call: whoever charges it reads the mark along with that, and
        charges nothing where the mark is no longer the one `seen`."""
        view = request.parser_context.get("view")
        if view is not None and self._refusal_of(key, now) is None:
            for throttle in view.get_throttles():
                charge = getattr(throttle, "charge_if_unchanged", None)
                mark: Mark | None = charge and charge(request, view, key, seen)
                if mark is not None:
                    return mark
        return read_mark(key.business_id)

    def _refusal_of(self, key: ApiKey, now: datetime) -> AuthenticationFailed | None:
        if key.is_revoked(now) or (self.in_url and not key.query_allowed):
            return InvalidApiKey()
        return ExpiredApiKey() if key.is_expired(now) else None


class HeaderKeyAuthentication(KeyAuthentication):
    """`X-API-Key: kv_live_…`"""

    def secret_of(self, request: Request) -> str | None:
        return str(request.META.get("HTTP_X_API_KEY", "")).strip()


class BearerKeyAuthentication(KeyAuthentication):
    """`Authorization: Bearer kv_live_…`"""

    def secret_of(self, request: Request) -> str | None:
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else None


class QueryKeyAuthentication(KeyAuthentication):
    """`?api_key=kv_live_…`, which `kaivox.api.middleware.KeyInUrl` has taken out of the URL."""

    in_url = True

    def secret_of(self, request: Request) -> str | None:
        return str(request.META.get("kaivox.query_key", "")).strip()


@dataclass(frozen=True, slots=True)
class StaffPrincipal:
    """A person of the staff who acts as one business in the browsable API."""

    user: AbstractBaseUser
    business: Business
    role: str

    @property
    def scopes(self) -> list[str]:
        return list(READ_SCOPES if self.role == Role.ANALYST else ALL_SCOPES)


class StaffSessionAuthentication(SessionAuthentication):
    """Django's session, with its CSRF check. The person acts as the business chosen in the session,
    else as their first one."""

    def authenticate(self, request: Request) -> tuple[Any, StaffPrincipal] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        if lacks_second_factor(user):
            return None
        principal = acting_as(user, request._request.session.get("acting_business_id"))
        request._request.caller = principal  # type: ignore[attr-defined]
        return None if principal is None else (user, principal)


def acting_as(user: Any, chosen_id: int | None) -> StaffPrincipal | None:
    """As which business `user` acts: the chosen one where it is theirs, else their first."""
    if not user.is_staff:
        return None
    if user.is_superuser:
        businesses = Business.objects.order_by("pk")
        business = businesses.filter(pk=chosen_id).first() or businesses.first()
        return None if business is None else StaffPrincipal(user, business, Role.OWNER)
    memberships = Membership.objects.select_related("business").filter(user=user).order_by("pk")
    mine = memberships.filter(business=chosen_id).first() or memberships.first()
    return None if mine is None else StaffPrincipal(user, mine.business, mine.role)


def _refuse_guessers(secret: str, request: Request) -> None:
    """Past the limit of its address a key that is surely unknown is refused without a look-up."""
    limit = getattr(request._request, "address_limit", None)
    if limit is None or is_remembered(secret):
        return
    retry_after = limit.retry_after()
    if retry_after and not may_be_known(secret):
        raise TooManyBadKeys(wait=retry_after)
