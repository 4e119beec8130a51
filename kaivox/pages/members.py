"""Who looks at the settings, of which business, and may they do this?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from kaivox.businesses.admin_base import EVERYONE
from kaivox.businesses.models import Business, Membership, Role
from kaivox.pages.browsable import businesses_of

Page = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Member:
    """A person and the business whose settings they look at. A superuser counts as an owner."""

    user: Any
    business: Business
    role: str

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def may_write(self) -> bool:
        return self.role in (Role.OWNER, Role.STAFF)


def member_page(*, roles: Collection[str] = EVERYONE) -> Callable[[Page], Page]:
    """A page for members alone: its view gets the `Member`. Strangers are sent to log in."""

    def wrap(view: Page) -> Page:
        @wraps(view)
        @never_cache
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                query = urlencode({"next": request.get_full_path()})
                return redirect(f"{reverse('login')}?{query}")
            member = member_of(request)
            if member is None:
                return render(request, "settings/no_business.html", {"place": "settings"})
            if member.role not in roles:
                raise PermissionDenied
            request.member = member  # type: ignore[attr-defined]
            return view(request, member, *args, **kwargs)

        return guarded

    return wrap


def member_of(request: HttpRequest) -> Member | None:
    """The person as a member of the business that they chose last, else of their first one."""
    user: Any = request.user
    chosen: int = request.session.get("acting_business_id") or 0
    if user.is_superuser:
        rows = Business.objects.order_by("pk")
        business = rows.filter(pk=chosen).first() or rows.first()
        return Member(user, business, Role.OWNER) if business else None
    mine = Membership.objects.select_related("business").filter(user=user).order_by("pk")
    found = mine.filter(business_id=chosen).first() or mine.first()
    return Member(user, found.business, found.role) if found else None


def page(request: HttpRequest, template: str, status: int = 200, **context: Any) -> HttpResponse:
    """A settings page, with what all of them show."""
    member: Member = request.member  # type: ignore[attr-defined]
    shown = {
        "place": "settings",
        "member": member,
        "choices": businesses_of(member.user),
        **context,
    }
    return render(request, f"settings/{template}.html", shown, status=status)
