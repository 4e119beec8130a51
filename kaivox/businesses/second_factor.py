"""Who must show a second factor, and has not? Whoever can see keys: superusers and owners.

Required where `settings.TWO_FACTOR_REQUIRED` (production), and wherever a person has set one up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_otp import user_has_device

from kaivox.businesses.models import Membership, Role

_GUARDED: Final = ("/admin/", "/settings")
_OPEN: Final = ("/admin/login/", "/admin/logout/", "/admin/jsi18n/")


def lacks_second_factor(user: Any) -> bool:
    """Whether `user` (of a session) must first show a second factor."""
    if not user.is_authenticated or user.is_verified():
        return False
    return user_has_device(user) or (settings.TWO_FACTOR_REQUIRED and can_see_keys(user))


def can_see_keys(user: Any) -> bool:
    return user.is_superuser or Membership.objects.filter(user=user, role=Role.OWNER).exists()


class RequireSecondFactor:
    """Sends a person who lacks it from the staff's pages to the page that asks for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        guarded = path.startswith(_GUARDED) and not path.startswith(_OPEN)
        if guarded and lacks_second_factor(request.user):
            query = urlencode({"next": request.get_full_path()})
            return HttpResponseRedirect(f"{reverse('two-factor')}?{query}")
        return self.get_response(request)
