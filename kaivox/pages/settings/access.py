"""Access control of the settings pages: membership and role of the logged-in user."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from kaivox.admin.base import DEVELOPERS, EVERYONE, WRITERS
from kaivox.api.values import parse_id
from kaivox.businesses.models import Business, Membership, Role
from kaivox.errors import DomainError, NotFound
from kaivox.pages.browsable.renderer import businesses_of

Page = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Member:
    """The logged-in user and the business whose settings are shown. Superusers count as owners."""

    user: Any
    business: Business
    role: str

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def may_write(self) -> bool:
        return self.role in WRITERS

    @property
    def is_developer(self) -> bool:
        """Whether they manage API keys and webhooks: developers and owners."""
        return self.role in DEVELOPERS

    @property
    def role_name(self) -> str:
        return str(Role(self.role).label)


def member_page(*, roles: Collection[str] = EVERYONE) -> Callable[[Page], Page]:
    """Decorator of a page for members with one of `roles`: `view(request, member, …)`.

    Anonymous users are redirected to the login. Raises PermissionDenied for other roles."""

    def wrap(view: Page) -> Page:
        @wraps(view)
        @never_cache
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                query = urlencode({"next": request.get_full_path()})
                return redirect(f"{reverse('login')}?{query}")
            member = member_of(request)
            if member is None:
                return render(request, "pages/settings/no_business.html", {"place": "settings"})
            if member.role not in roles:
                raise PermissionDenied
            try:
                return view(request, member, *args, **kwargs)
            except NotFound as error:  # deleted since the view found it
                raise Http404 from error

        return guarded

    return wrap


def member_of(request: HttpRequest) -> Member | None:
    """The user as a member of the business that they chose last, else of their first one. None
    without a membership or without `is_staff`, as for the session API."""
    user: Any = request.user
    if not user.is_staff:
        return None
    chosen: int = request.session.get("acting_business_id") or 0
    if user.is_superuser:
        rows = Business.objects.order_by("pk")
        business = rows.filter(pk=chosen).first() or rows.first()
        return Member(user, business, Role.OWNER) if business else None
    mine = Membership.objects.select_related("business").filter(user=user).order_by("pk")
    found = mine.filter(business_id=chosen).first() or mine.first()
    return Member(user, found.business, found.role) if found else None


def page(
    request: HttpRequest, member: Member, template: str, status: int = 200, **context: Any
) -> HttpResponse:
    """Renders a settings page with the context that all of them share."""
    shown = {
        "place": "settings",
        "member": member,
        "choices": businesses_of(member.user),
        **context,
    }
    return render(request, f"pages/settings/{template}.html", shown, status=status)


def find_or_404(rows: Any, pk: str) -> Any:
    """The row of `rows`, which are those of the member's business. Raises Http404 for any other id."""
    row_id = parse_id(pk)
    row = rows.filter(pk=row_id).first() if row_id else None
    if row is None:
        raise Http404
    return row


def run(
    request: HttpRequest, operation: Callable[[datetime], object], message: str, then: HttpResponse
) -> HttpResponse:
    """Runs `operation(now)` and returns `then`; a message says that it was done, or why it was not."""
    try:
        operation(timezone.now())
    except DomainError as error:
        messages.error(request, " ".join(error.texts))
    else:
        messages.success(request, message)
    return then
