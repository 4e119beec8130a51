"""Rate limits of logins and changes of passwords, checked before a password is hashed, which takes a third of a CPU second.

django-axes locks a name and address after five failures. The limits here also cover one address that
tries many names, one name tried from many addresses, and many concurrent logins.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.views.decorators.debug import sensitive_post_parameters

from kaivox.businesses.auth.client_ip import client_address, rate_limit_block
from ratelimits.backends import current_limiter, of_login
from ratelimits.limiter import Quota

PER_ADDRESS: Final = Quota(per_minute=20)
PER_NAME: Final = Quota(per_minute=10)

# At most a quarter of the threads hash passwords; the others serve the API meanwhile.
_hashing = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


class PasswordBackend(ModelBackend):
    """Django's ModelBackend with rate limits. Raises ValidationError, which the login form shows."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if request is not None:
            _charge(request, username or "")
        if not _hashing.acquire(blocking=False):
            raise ValidationError("Too many people are logging in. Try again in a moment.")
        try:
            return super().authenticate(request, username, password, **kwargs)
        finally:
            _hashing.release()


@sensitive_post_parameters()
def change_password(request: HttpRequest) -> HttpResponseBase:
    """The admin's page for one's own password, which hashes three times. Limited as logins are."""
    if request.method != "POST":
        return admin.site.password_change(request)
    if not current_limiter().take(of_login(f"user {request.user.pk}"), PER_NAME, 1).admitted:
        return _try_later(request, "Too many attempts. Try again in a minute.")
    if not _hashing.acquire(blocking=False):
        return _try_later(request, "Too many people are logging in. Try again in a moment.")
    try:
        return admin.site.password_change(request)
    finally:
        _hashing.release()


def _try_later(request: HttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return HttpResponseRedirect(request.path)


def _charge(request: HttpRequest, username: str) -> None:
    address = rate_limit_block(client_address(request.META, settings.TRUSTED_PROXIES))
    name = hashlib.sha256(username.strip().lower().encode()).hexdigest()[:32]
    limiter = current_limiter()
    for subject, quota in ((address, PER_ADDRESS), (name, PER_NAME)):
        if not limiter.take(of_login(subject), quota, 1).admitted:
            raise ValidationError("Too many attempts to log in. Try again in a minute.")
