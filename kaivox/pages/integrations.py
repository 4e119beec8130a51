"""Settings → API & integrations: a member's keys, webhooks and usage.

The same operations as everywhere; every row is looked up among those of the member's business.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from kaivox.api.fields import parse_id
from kaivox.businesses import operations as businesses
from kaivox.businesses.admin_base import OWNERS, WRITERS
from kaivox.businesses.models import ApiKey
from kaivox.errors import DomainError
from kaivox.pages.member_forms import EndpointForm, KeyForm
from kaivox.pages.members import Member, member_page, page
from kaivox.pages.usage import usage_chart
from webhooks import operations as webhooks
from webhooks.admin_forms import RotateSecretForm, TestEventForm
from webhooks.models import Delivery, Endpoint

PER_PAGE: Final = 25
_LOG_DAYS: Final = 30


@require_safe
@member_page()
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    """Usage, and where to go from here."""
    return page(
        request,
        "overview",
        section="overview",
        usage=usage_chart(member.business, timezone.now()),
        key_count=ApiKey.objects.for_business(member.business).live(timezone.now()).count(),
        endpoints=Endpoint.objects.for_business(member.business).kept().order_by("pk"),
    )


# --- Keys ------------------------------------------------------------------------------------


@member_page(roles=OWNERS)
def keys(request: HttpRequest, member: Member) -> HttpResponse:
    """The keys; a POST issues one, which is shown on the page that answers and never again."""
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            issued = businesses.issue_api_key(
                business_id=member.business.pk,
                actor=member.user,
                now=timezone.now(),
                **form.values(),
            )
        except DomainError as refusal:
            _show(refusal, form)
        else:
            return page(
                request, "secret", what="API key", name=issued.key.name, secret=issued.secret
            )
    now = timezone.now()
    rows = ApiKey.objects.for_business(member.business).order_by("-created_at", "-pk")[:200]
    listed = [(key, key.is_revoked(now), key.is_expired(now)) for key in rows]
    return page(request, "keys", section="keys", keys=listed, form=form)


@require_POST
@member_page(roles=OWNERS)
def revoke_key(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    key = _found(ApiKey.objects.for_business(member.business), pk)
    businesses.revoke_api_key(key_id=key.pk, actor=member.user, now=timezone.now())
    messages.success(request, f"{key.name} is revoked: the next request with it is refused.")
    return redirect("settings-keys")


# --- Webhooks --------------------------------------------------------------------------------


@member_page()
def endpoints(request: HttpRequest, member: Member) -> HttpResponse:
    """The endpoints; a POST adds one, whose secret is shown once."""
    form = EndpointForm(request.POST or None)
    if request.method == "POST":
        _refuse_unless(member.is_owner)
        if form.is_valid():
            try:
                added = webhooks.register_endpoint(business=member.business, **form.cleaned_data)
            except DomainError as refusal:
                _show(refusal, form)
            else:
                return _secret(request, added)
    rows = Endpoint.objects.for_business(member.business).kept().order_by("-created_at", "-pk")
    return page(request, "endpoints", section="webhooks", endpoints=rows, form=form)


@require_safe
@member_page()
def endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """One endpoint and the log of its deliveries."""
    row = _endpoint(member, pk)
    return page(
        request,
        "endpoint",
        section="webhooks",
        endpoint=row,
        deliveries=_page_of_log(request, row),
        test_form=TestEventForm(),
        rotate_form=RotateSecretForm(),
    )


@require_POST
@member_page(roles=WRITERS)
def test_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _endpoint(member, pk)
    kind = request.POST.get("event_type", "")
    return _done(
        request,
        row,
        lambda now: webhooks.send_test_event(endpoint=row, type=kind, now=now),
        "A test event is on its way. Load this page again to see how it went.",
    )


@require_POST
@member_page(roles=OWNERS)
def rotate_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _endpoint(member, pk)
    form = RotateSecretForm(request.POST)
    if not form.is_valid():
        raise Http404
    grace = form.cleaned_data["grace"]
    return _secret(request, webhooks.rotate_secret(endpoint=row, grace=grace, now=timezone.now()))


@require_POST
@member_page(roles=OWNERS)
def switch_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _endpoint(member, pk)
    on = request.POST.get("is_active") == "true"
    return _done(
        request,
        row,
        lambda now: webhooks.update_endpoint(endpoint=row, is_active=on, now=now),
        "It gets events again, from now on." if on else "Nothing more is sent to it.",
    )


@require_POST
@member_page(roles=OWNERS)
def delete_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    webhooks.delete_endpoint(endpoint=_endpoint(member, pk), now=timezone.now())
    messages.success(request, "The endpoint is deleted.")
    return redirect("settings-webhooks")


@require_safe
@member_page()
def delivery(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """One delivery: what was sent, and every attempt with its answer."""
    row = _delivery(member, pk)
    attempts = [
        (attempt, bytes(attempt.response_body).decode("utf-8", "replace"))
        for attempt in row.attempts.order_by("number")
    ]
    body = bytes(row.event.body).decode()
    return page(request, "delivery", section="webhooks", delivery=row, attempts=attempts, body=body)


@require_POST
@member_page(roles=WRITERS)
def redeliver(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _delivery(member, pk)
    try:
        webhooks.redeliver(delivery=row, now=timezone.now())
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "It is on its way again: the same event, with a new signature.")
    return redirect("settings-delivery", pk=row.pk)


# --- Parts -----------------------------------------------------------------------------------


def _endpoint(member: Member, pk: str) -> Endpoint:
    rows = Endpoint.objects.for_business(member.business).kept().select_related("business")
    found: Endpoint = _found(rows, pk)
    return found


def _delivery(member: Member, pk: str) -> Delivery:
    rows = Delivery.objects.for_business(member.business).select_related("event", "endpoint")
    found: Delivery = _found(rows, pk)
    return found


def _found(rows: Any, pk: str) -> Any:
    """The row of the member's business; foreign, gone and absurd ids look alike."""
    row_id = parse_id(pk)
    row = rows.filter(pk=row_id).first() if row_id else None
    if row is None:
        raise Http404
    return row


def _page_of_log(request: HttpRequest, row: Endpoint) -> Any:
    since = timezone.now() - timedelta(days=_LOG_DAYS)
    rows = Delivery.objects.filter(endpoint=row, created_at__gte=since).select_related("event")
    status = request.GET.get("status", "")
    if status:
        rows = rows.filter(status=status)
    rows = rows.order_by("-created_at", "-pk").defer("event__body")
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))


def _done(request: HttpRequest, row: Endpoint, act: Any, sentence: str) -> HttpResponse:
    try:
        act(timezone.now())
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, sentence)
    return redirect("settings-endpoint", pk=row.pk)


def _secret(request: HttpRequest, row: Endpoint) -> HttpResponse:
    return page(request, "secret", what="signing secret", name=row.url, secret=row.secret)


def _show(refusal: DomainError, form: forms.Form) -> None:
    """The refusal at its fields, else above the form."""
    shown = False
    for field, said in refusal.errors.items():
        if field in form.fields:
            form.add_error(field, forms.ValidationError(said))
            shown = True
    if not shown:
        form.add_error(None, refusal.message)


def _refuse_unless(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied
