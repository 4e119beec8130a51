"""Authentication: an API key in one of three places, or a member of staff in a browser.

One compiled query per request reads the key with its business, plan and quota override. The result is
not cached, so a revoked, narrowed or expired key, a suspended business and a changed plan apply to the
next request in every process.

`X-API-Key`, else `Authorization: Bearer`, else `?api_key=`: the first one present decides, even when
it is invalid. An `Authorization` header of another scheme is ignored: it belongs to other software.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from kaivox.api.request_context import context_of
from kaivox.businesses.audit import set_current_actor
from kaivox.businesses.auth import key_format, known_key_digests
from kaivox.businesses.auth.csrf import CsrfCheckedSessionAuthentication
from kaivox.businesses.auth.scopes import KNOWN_SCOPES, READ_SCOPES, STAFF_SCOPES, has_scope
from kaivox.businesses.auth.second_factor import requires_second_factor
from kaivox.businesses.models import ApiKey, Business, Membership, Role
from kaivox.db.compiled_query import CompiledQuery

REALM: Final = 'Bearer realm="KaiVox"'

_NO_DIGEST: Final = key_format.digest_of("no key")


class MissingApiKey(NotAuthenticated):
    default_code = "missing_api_key"
    default_detail = (
        "Send your API key in the header X-API-Key, or as Authorization: Bearer, or as ?api_key=."
    )


class InvalidApiKey(AuthenticationFailed):
    """Unknown, malformed, revoked, or not accepted in the URL: the same response for all, so
    that it does not reveal which keys exist."""

    default_code = "invalid_api_key"
    default_detail = "This API key is not valid."


class ExpiredApiKey(AuthenticationFailed):
    default_code = "expired_api_key"
    default_detail = "This API key has expired. Issue a new one."


class TooManyFailedAuthentications(APIException):
    """`wait` in seconds becomes `Retry-After`."""

    status_code = 429
    default_code = "rate_limit_exceeded"
    default_detail = "Too many requests without a valid API key came from your address."

    def __init__(self, *, wait: int) -> None:
        super().__init__()
        self.wait = wait


class KeyAuthentication(BaseAuthentication):
    """Base of the three ways to send a key. Subclasses implement `secret_of`."""

    in_url: ClassVar[bool] = False

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        secret = self.secret_of(request)
        if not secret:
            return None
        key = self._key_of(secret, request)
        context_of(request).caller = key
        set_current_actor(key)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return REALM

    def secret_of(self, request: Request) -> str | None:
        raise NotImplementedError

    def _key_of(self, secret: str, request: Request) -> ApiKey:
        if not key_format.is_well_formed(secret):
            raise InvalidApiKey
        digest = key_format.digest_of(secret)
        _reject_guess(digest, request)
        try:
            key = self._look_up(secret, timezone.now())
        except AuthenticationFailed:
            known_key_digests.discard(digest)
            raise
        known_key_digests.add(digest)
        return key

    def _look_up(self, secret: str, now: datetime) -> ApiKey:
        key = find_api_key(secret)
        if key is None or key.is_revoked(now) or (self.in_url and not key.query_allowed):
            raise InvalidApiKey
        if key.is_expired(now):
            raise ExpiredApiKey
        return key


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
    """`?api_key=kv_live_…`, which `kaivox.api.query_keys` removed from the URL."""

    in_url = True

    def secret_of(self, request: Request) -> str | None:
        return context_of(request).query_api_key.strip()


@dataclass(frozen=True, slots=True)
class StaffPrincipal:
    """A logged-in person and the business on whose behalf they use the browsable API."""

    user: AbstractBaseUser
    business: Business
    role: str

    @property
    def scopes(self) -> list[str]:
        # Explicit per role, read scopes otherwise: a new role gets no write scope by accident.
        by_role = {
            Role.OWNER: KNOWN_SCOPES,
            Role.DEVELOPER: KNOWN_SCOPES,
            Role.STAFF: STAFF_SCOPES,
        }
        return list(by_role.get(Role(self.role), READ_SCOPES))

    def has_scope(self, wanted: str) -> bool:
        return has_scope(self.scopes, wanted)


class StaffSessionAuthentication(CsrfCheckedSessionAuthentication):
    """Django's session, with its CSRF check. The business is the one chosen in the session, else the
    person's first one."""

    def authenticate(self, request: Request) -> tuple[Any, StaffPrincipal] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        if requires_second_factor(user):
            return None
        principal = acting_as(user, request._request.session.get("acting_business_id"))
        context_of(request).caller = principal
        set_current_actor(user)
        return None if principal is None else (user, principal)


def acting_as(user: Any, chosen_id: int | None) -> StaffPrincipal | None:
    """The principal of `user`: for the business `chosen_id` if they are a member of it, else their
    first one. None without `is_staff` or without a membership."""
    if not user.is_staff:
        return None
    if user.is_superuser:
        businesses = Business.objects.order_by("pk")
        business = businesses.filter(pk=chosen_id or 0).first() or businesses.first()
        return None if business is None else StaffPrincipal(user, business, Role.OWNER)
    memberships = Membership.objects.select_related("business").filter(user=user).order_by("pk")
    mine = memberships.filter(business=chosen_id).first() or memberships.first()
    return None if mine is None else StaffPrincipal(user, mine.business, mine.role)


def _by_prefix(prefix: str) -> Any:
    return ApiKey.objects.for_authentication().filter(prefix=prefix)


_BY_PREFIX: Final = CompiledQuery(_by_prefix)


def find_api_key(secret: str) -> ApiKey | None:
    """The key with this secret, with its business and quota override. Revoked and expired
    keys are returned too."""
    # The prefix is not secret; only the digest needs a comparison in constant time. It is made
    # for unknown prefixes too, so that the response time does not reveal known ones.
    key: ApiKey | None = _BY_PREFIX.first(prefix=secret[: key_format.PREFIX_LENGTH])
    stored = key.digest if key else _NO_DIGEST
    return key if hmac.compare_digest(stored, key_format.digest_of(secret)) else None


def _reject_guess(digest: str, request: Request) -> None:
    """Raises TooManyFailedAuthentications for an unknown digest from an address over its limit,
    without a query."""
    limit = context_of(request).failed_auth_limit
    if limit is None or known_key_digests.contains(digest):
        return
    retry_after = limit.retry_after()
    if retry_after and not known_key_digests.contains_after_reload(digest):
        raise TooManyFailedAuthentications(wait=retry_after)
