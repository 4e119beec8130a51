"""Two-factor authentication of the admin, the settings pages and the session API.

With `settings.TWO_FACTOR_REQUIRED` (production) it is required of superusers, owners and
developers, who can see API keys; it is always required of a person who has set it up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_otp import user_has_device

from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business, Membership, Role
from kaivox.businesses.security_notices import notify_person
from kaivox.db.transactions import atomic_write

_GUARDED: Final = ("/admin/", "/settings")
_OPEN: Final = ("/admin/login/", "/admin/logout/", "/admin/jsi18n/")


def requires_second_factor(user: Any) -> bool:
    """Whether `user` (of a session) still has to enter a code of two-factor authentication."""
    if not user.is_authenticated or user.is_verified():
        return False
    return user_has_device(user) or (settings.TWO_FACTOR_REQUIRED and can_see_keys(user))


def can_see_keys(user: Any) -> bool:
    """Whether `user` may issue API keys: owners, developers and superusers."""
    with_keys = Membership.objects.filter(user=user, role__in=(Role.OWNER, Role.DEVELOPER))
    return user.is_superuser or with_keys.exists()


_CHANGES: Final = {
    "added": "Two-factor authentication was added",
    "removed": "Two-factor authentication was removed",
    "codes_renewed": "New recovery codes of two-factor authentication were generated",
}


@atomic_write
def record_two_factor_change(*, user: Any, what: str, now: datetime) -> None:
    """Records that `user` changed their own two-factor authentication: in the audit of each of their
    businesses, in the admin History of the user, and in an e-mail. `what`: added, removed or
    codes_renewed."""
    for business in Business.objects.filter(memberships__user=user):
        record_audit(
            business=business, actor=user, action=f"two_factor.{what}", subject=user, now=now
        )
    LogEntry.objects.log_actions(
        user_id=user.pk,
        queryset=[user],
        action_flag=CHANGE,
        change_message=f"{_CHANGES[what]}.",
        single_object=True,
    )
    notify_person(
        user=user,
        subject=f"KaiVox: {_CHANGES[what]}",
        text=f"{_CHANGES[what]} for the login {user.get_username()}.",
        now=now,
    )


class RequireSecondFactor:
    """Redirects a person who has not entered a code from the admin and the settings to the page that
    asks for it. Guarded by path, so that a new page there is covered without further code."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        guarded = path.startswith(_GUARDED) and not path.startswith(_OPEN)
        if guarded and requires_second_factor(request.user):
            query = urlencode({"next": request.get_full_path()})
            return HttpResponseRedirect(f"{reverse('two-factor')}?{query}")
        return self.get_response(request)
