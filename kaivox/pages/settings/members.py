"""Settings → Members, and the page on which an invited person joins."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from kaivox.admin.base import OWNERS, person
from kaivox.businesses import members as operations
from kaivox.businesses.models import Invitation, Membership
from kaivox.errors import DomainError
from kaivox.pages.settings.access import Member, find_or_404, member_page, page, run
from kaivox.pages.settings.forms import InvitationForm, RoleForm, submit

_BACKEND = "ratelimits.logins.PasswordBackend"


@member_page(roles=OWNERS)
def members(request: HttpRequest, member: Member) -> HttpResponse:
    """Lists members and open invitations. POST invites a person."""
    form = InvitationForm(request.POST or None)
    invited = submit(
        form,
        lambda now: operations.invite_member(
            business_id=member.business.pk, actor=member.user, now=now, **form.cleaned_data
        ),
    )
    if invited is not None:
        messages.success(request, f"{invited.email} is invited by e-mail.")
        return redirect("settings-members")
    rows = Membership.objects.filter(business=member.business).select_related("user")
    return page(
        request,
        member,
        "members",
        section="members",
        form=form,
        members=[
            (row, RoleForm(initial={"role": row.role}, auto_id=f"role-{row.pk}-%s"))
            for row in rows.order_by("created_at", "pk")
        ],
        invitations=Invitation.objects.for_business(member.business)
        .open(timezone.now())
        .order_by("-created_at", "-pk"),
    )


@require_POST
@member_page(roles=OWNERS)
def change_role(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _membership(member, pk)
    role = request.POST.get("role", "")
    return run(
        request,
        lambda now: operations.set_membership(
            business_id=member.business.pk, user=row.user, role=role, actor=member.user, now=now
        ),
        f"The role of {row.user.get_username()} is changed.",
        redirect("settings-members"),
    )


@require_POST
@member_page(roles=OWNERS)
def remove_member(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _membership(member, pk)
    return run(
        request,
        lambda now: operations.end_membership(membership_id=row.pk, actor=member.user, now=now),
        f"{row.user.get_username()} is removed and has no access from now on.",
        redirect("settings-members"),
    )


@require_POST
@member_page(roles=OWNERS)
def revoke_invitation(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = find_or_404(Invitation.objects.for_business(member.business), pk)
    return run(
        request,
        lambda now: operations.revoke_invitation(invitation_id=row.pk, actor=member.user, now=now),
        f"The invitation of {row.email} is revoked. Its link no longer works.",
        redirect("settings-members"),
    )


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """The page of the link in an invitation: sets a password, or joins with the login that the person
    has. It is the same page for a link that is wrong, used, revoked or too old."""
    try:
        invited = operations.find_invitation(token, now=timezone.now())
    except DomainError:
        return _show(request, None, status=404)
    has_login = operations.logins_of(invited.email).exists()
    if request.user.is_authenticated or has_login:
        return _join(request, invited, has_login=has_login)
    return _set_password(request, invited)


def _set_password(request: HttpRequest, invited: Invitation) -> HttpResponse:
    form = SetPasswordForm(User(username=invited.email, email=invited.email), request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _show(request, invited, form=form)
    try:
        user = operations.accept_with_new_login(
            invitation_id=invited.pk,
            password=form.cleaned_data["new_password1"],
            now=timezone.now(),
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(request.path)
    login(request, user, backend=_BACKEND)
    return _welcome(request, invited)


def _join(request: HttpRequest, invited: Invitation, *, has_login: bool) -> HttpResponse:
    user = request.user
    is_theirs = user.is_authenticated and (
        operations.logins_of(invited.email).filter(pk=user.pk).exists()
    )
    if request.method == "POST" and is_theirs:
        try:
            operations.accept_invitation(
                invitation_id=invited.pk, user=person(request), now=timezone.now()
            )
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(request.path)
        return _welcome(request, invited)
    return _show(request, invited, is_theirs=is_theirs, has_login=has_login)


def _welcome(request: HttpRequest, invited: Invitation) -> HttpResponse:
    request.session["acting_business_id"] = invited.business_id
    messages.success(request, f"You are a member of {invited.business.name} now.")
    return redirect("settings")


def _show(
    request: HttpRequest, invited: Invitation | None, *, status: int = 200, **context: object
) -> HttpResponse:
    return render(
        request,
        "pages/settings/invitation.html",
        {"place": "settings", "invitation": invited, **context},
        status=status,
    )


def _membership(member: Member, pk: str) -> Membership:
    rows = Membership.objects.filter(business=member.business).select_related("user")
    found: Membership = find_or_404(rows, pk)
    return found
