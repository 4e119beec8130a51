"""Settings → Webhooks: endpoints, their secrets and headers, and the delivery log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from kaivox.admin.base import DEVELOPERS, WRITERS
from kaivox.errors import DomainError
from kaivox.pages.browsable import json_html
from kaivox.pages.settings.access import Member, find_or_404, member_page, page, run
from kaivox.pages.settings.forms import EndpointForm, submit
from webhooks import operations as webhooks
from webhooks.admin_forms import ReplayForm, RotateSecretForm, TestEventForm, initial_rules
from webhooks.custom_headers import masked_headers_of
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery, DeliveryStatus, Endpoint

PER_PAGE: Final = 25
_LOG_DAYS: Final = 30
_FAILING: Final = "failing"
_ALL: Final = "all"


# --- Endpoints -------------------------------------------------------------------------------


@member_page()
def endpoints(request: HttpRequest, member: Member) -> HttpResponse:
    """Lists the endpoints. POST adds one, whose secret is only in this response."""
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and not member.is_developer:
        raise PermissionDenied
    added = submit(
        form,
        lambda now: webhooks.register_endpoint(
            business=member.business, actor=member.user, now=now, **form.cleaned_data
        ),
    )
    if added is not None:
        return _secret(request, member, added)
    rows = (
        Endpoint.objects.for_business(member.business).not_deleted().order_by("-created_at", "-pk")
    )
    return page(request, member, "endpoints", section="webhooks", endpoints=rows, form=form)


@require_safe
@member_page()
def endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """One endpoint with its delivery log: what is failing first."""
    row = _endpoint(member, pk)
    log = DeliveryLog(row, request)
    return page(
        request,
        member,
        "endpoint",
        section="webhooks",
        endpoint=row,
        log=log,
        deliveries=log.page(),
        test_form=TestEventForm(),
        rotate_form=RotateSecretForm(),
        replay_form=ReplayForm(),
    )


@member_page(roles=DEVELOPERS)
def edit_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """Changes URL, description, events, headers and the rules of delivery."""
    row = _endpoint(member, pk)
    present = {
        "url": row.url,
        "description": row.description,
        "event_types": row.event_types,
        "headers": masked_headers_of(row) or {},
        **initial_rules(row),
    }
    form = EndpointForm(request.POST or None, initial=present)
    saved = submit(
        form,
        lambda now: webhooks.update_endpoint(
            endpoint=row, now=now, actor=member.user, **form.cleaned_data
        ),
    )
    if saved is not None:
        messages.success(request, "The endpoint is saved. Events are sent so from now on.")
        return redirect("settings-endpoint", pk=row.pk)
    return page(request, member, "edit_endpoint", section="webhooks", endpoint=row, form=form)


@require_POST
@member_page(roles=WRITERS)
def test_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _endpoint(member, pk)
    event_type = request.POST.get("event_type", "")
    return run(
        request,
        lambda now: webhooks.send_test_event(endpoint=row, type=event_type, now=now),
        "The test event was queued. Reload this page to see its delivery.",
        redirect(f"{reverse('settings-endpoint', args=[row.pk])}?show={_ALL}"),
    )


@require_POST
@member_page(roles=DEVELOPERS)
def rotate_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _endpoint(member, pk)
    grace = _chosen(RotateSecretForm(request.POST), "grace")
    rotated = webhooks.rotate_secret(
        endpoint=row, grace=grace, now=timezone.now(), actor=member.user
    )
    return _secret(request, member, rotated)


@require_POST
@member_page(roles=DEVELOPERS)
def replay(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """Sends again what the endpoint missed in the chosen time."""
    row = _endpoint(member, pk)
    since = timezone.now() - _chosen(ReplayForm(request.POST), "since")
    try:
        count = webhooks.replay(endpoint=row, since=since, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{count:,} deliveries were queued.")
    return redirect("settings-endpoint", pk=row.pk)


@require_POST
@member_page(roles=DEVELOPERS)
def switch_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _endpoint(member, pk)
    on = request.POST.get("is_active") == "true"
    return run(
        request,
        lambda now: webhooks.update_endpoint(
            endpoint=row, is_active=on, now=now, actor=member.user
        ),
        "The endpoint is active and receives events from now on."
        if on
        else "The endpoint is paused. No events are sent to it.",
        redirect("settings-endpoint", pk=row.pk),
    )


@require_POST
@member_page(roles=DEVELOPERS)
def delete_endpoint(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    webhooks.delete_endpoint(endpoint=_endpoint(member, pk), now=timezone.now(), actor=member.user)
    messages.success(request, "The endpoint is deleted.")
    return redirect("settings-webhooks")


# --- Deliveries ------------------------------------------------------------------------------


class DeliveryLog:
    """Deliveries of one endpoint in the last 30 days, by the query of the page: `show` is `failing`, `all`
    or a status, `event_type` a type. Without `show`: the failing ones while the endpoint is failing."""

    def __init__(self, endpoint: Endpoint, request: HttpRequest) -> None:
        since = timezone.now() - timedelta(days=_LOG_DAYS)
        self._rows = Delivery.objects.filter(endpoint=endpoint, created_at__gte=since)
        self._number = request.GET.get("page")
        self.event_type = request.GET.get("event_type", "")
        self.event_types = list(EVENT_TYPES)
        chosen = request.GET.get("show", "")
        known = {_FAILING, _ALL, *DeliveryStatus.values}
        default = _FAILING if endpoint.failing_since else _ALL
        self.show = chosen if chosen in known else default

    @property
    def filters(self) -> list[tuple[str, str]]:
        """Value and label of each choice of `show`."""
        return [(_FAILING, "Failing"), (_ALL, "All"), *DeliveryStatus.choices]

    @property
    def query(self) -> str:
        """The filters as a query string, for links to other pages of the log."""
        return urlencode({"show": self.show, "event_type": self.event_type})

    def page(self) -> Any:
        rows = self._rows.select_related("event")
        if self.show == _FAILING:
            rows = rows.failing()
        elif self.show != _ALL:
            rows = rows.filter(status=self.show)
        if self.event_type:
            rows = rows.filter(event__type=self.event_type)
        rows = rows.order_by("-created_at", "-pk").defer("event__body")
        return Paginator(rows, PER_PAGE).get_page(self._number)


@require_safe
@member_page()
def delivery(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    """One delivery: its body, and every attempt with request and response."""
    row = _delivery(member, pk)
    attempts = [
        (attempt, bytes(attempt.response_body).decode("utf-8", "replace"))
        for attempt in row.attempts.order_by("number")
    ]
    body = json_html.as_html(json.loads(bytes(row.event.body)))
    return page(
        request, member, "delivery", section="webhooks", delivery=row, attempts=attempts, body=body
    )


@require_POST
@member_page(roles=WRITERS)
def redeliver(request: HttpRequest, member: Member, pk: str) -> HttpResponse:
    row = _delivery(member, pk)
    return run(
        request,
        lambda now: webhooks.redeliver(delivery=row, now=now),
        "The delivery was queued again: the same event with a new signature.",
        redirect("settings-delivery", pk=row.pk),
    )


# --- Parts -----------------------------------------------------------------------------------


def _endpoint(member: Member, pk: str) -> Endpoint:
    rows = (
        Endpoint.objects.for_business(member.business)
        .not_deleted()
        .select_related("business", "created_by_key")
    )
    found: Endpoint = find_or_404(rows, pk)
    return found


def _delivery(member: Member, pk: str) -> Delivery:
    rows = Delivery.objects.for_business(member.business).select_related("event", "endpoint")
    found: Delivery = find_or_404(rows, pk)
    return found


def _chosen(form: forms.Form, field: str) -> timedelta:
    """The choice of a form with one list. Raises Http404 for a value that it does not offer."""
    if not form.is_valid():
        raise Http404
    chosen: timedelta = form.cleaned_data[field]
    return chosen


def _secret(request: HttpRequest, member: Member, row: Endpoint) -> HttpResponse:
    return page(
        request,
        member,
        "secret",
        what="signing secret",
        name=row.url,
        secret=row.secret,
        section="webhooks",
    )
