"""Django's CSRF check for requests that a browser session authenticates."""

from __future__ import annotations

from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from kaivox.errors import Forbidden


class CsrfFailed(Forbidden):
    code = "csrf_failed"
    message = "The CSRF token is missing or out of date. Reload the page and try again."


class CsrfCheckedSessionAuthentication(SessionAuthentication):
    """Raises CsrfFailed where Django REST framework raises its own PermissionDenied, whose code is
    not one of ours."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CsrfFailed from error
