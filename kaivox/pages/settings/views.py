"""Settings → API & integrations: usage, API keys and the sandbox of a business.

The views of these pages call the same operations as the API and look rows up among those of the member's
business.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from kaivox.admin.base import DEVELOPERS, OWNERS
from kaivox.businesses import operations as businesses
from kaivox.businesses.models import ApiKey, Business
from kaivox.businesses.operations import IssuedKey
from kaivox.pages.settings.access import Member, find_or_404, member_page, page, run
from kaivox.pages.settings.forms import KeyForm, ReminderForm, RotateKeyForm, submit
from kaivox.pages.settings.request_log import error_groups
from kaivox.pages.settings.usage import usage_chart
from webhooks.models import Endpoint


@require_safe
@member_page()
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    """Usage of the quota, keys, endpoints and recent errors."""
    return page(
        request,
        member,
        "overview",
        section="overview",
        usage=usage_chart(member.business, timezone.now()),
        key_count=ApiKey.objects.for_business(member.business).live(timezone.now()).count(),
        endpoints=Endpoint.objects.for_business(member.business).not_deleted().order_by("pk"),
        groups=error_groups(member.business)[:3] if member.is_developer else [],
    )


# --- Keys ------------------------------------------------------------------------------------


@member_page(roles=DEVELOPERS)
def keys(request: HttpRequest, member: Member) -> HttpResponse:
    """Lists the keys. POST issues one, whose secret is only in this response."""
    form = KeyForm(request.POST or None)
    issued = submit(
        form,
        lambda now: businesses.issue_api_key(
            business_id=member.business.pk, actor=member.user, now=now, **form.values()
        ),
    )
    if issued is not None:
        return _key_page(request, member, issued)
    now = timezone.now()
    rows = ApiKey.objects.for_business(member.business).order_by("-created_at", "-pk")[:200]
    listed = [(key, key.is_revoked(now), key.is_expired(now)) for key in rows]
    return page(request, member, "keys", section="keys", keys=listed, form=form)


@require_POST
@member_page(roles=DEVELOPERS)
def revoke_key(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    key = find_or_404(ApiKey.objects.for_business(member.business), pk)
    businesses.revoke_api_key(key_id=key.pk, actor=member.user, now=timezone.now())
    messages.success(request, f"{key.name} is revoked. Requests with it are rejected from now on.")
    return redirect("settings-keys")


@member_page(roles=DEVELOPERS)
def rotate_key(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """Asks how long the old key stays active. POST issues the new one, which is only in this response."""
    key = find_or_404(ApiKey.objects.for_business(member.business), pk)
    form = RotateKeyForm(request.POST or None)
    issued = submit(
        form,
        lambda now: businesses.rotate_api_key(
            key_id=key.pk, grace=form.cleaned_data["grace"], actor=member.user, now=now
        ),
    )
    if issued is not None:
        return _key_page(request, member, issued)
    return page(request, member, "rotate_key", section="keys", key=key, form=form)


def _key_page(request: HttpRequest, member: Member, issued: IssuedKey) -> HttpResponse:
    return page(
        request,
        member,
        "secret",
        what="API key",
        name=issued.key.name,
        secret=issued.secret,
        section="keys",
    )


# --- Reminders -------------------------------------------------------------------------------


@member_page(roles=OWNERS)
def reminders(request: HttpRequest, member: Member) -> HttpResponse:
    """When reminders of appointments are due. POST sets it."""
    shown = {"reminder_hours": member.business.reminder_hours}
    form = ReminderForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        return run(
            request,
            lambda now: businesses.change_business(
                business_id=member.business.pk, actor=member.user, now=now, **form.cleaned_data
            ),
            "Saved.",
            redirect("settings-reminders"),
        )
    return page(request, member, "reminders", section="reminders", form=form)


# --- Sandbox ---------------------------------------------------------------------------------


@require_safe
@member_page()
def sandbox(request: HttpRequest, member: Member) -> HttpResponse:
    """The sandbox of the business: switch to it; owners create and reset it."""
    live = member.business.sandbox_of or member.business
    return page(
        request,
        member,
        "sandbox",
        section="sandbox",
        live=live,
        sandbox=Business.objects.filter(sandbox_of=live).first(),
    )


@require_POST
@member_page(roles=OWNERS)
def create_sandbox(request: HttpRequest, member: Member) -> HttpResponse:
    return run(
        request,
        lambda now: businesses.create_sandbox(
            business_id=member.business.pk, actor=member.user, now=now
        ),
        "The sandbox is ready. Switch to it, and issue an API key there.",
        redirect("settings-sandbox"),
    )


@require_POST
@member_page(roles=OWNERS)
def reset_sandbox(request: HttpRequest, member: Member) -> HttpResponse:
    live_id = member.business.sandbox_of_id or member.business.pk
    return run(
        request,
        lambda now: businesses.reset_sandbox(business_id=live_id, actor=member.user, now=now),
        "The sandbox has new demo data.",
        redirect("settings-sandbox"),
    )
