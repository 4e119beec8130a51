"""Admin of webhook endpoints; the delivery log is in `webhooks.admin_deliveries`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kaivox.admin.base import DEVELOPERS, WRITERS, person
from kaivox.admin.columns import Tone, badge, local_time, short_url
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from webhooks import (
    admin_deliveries,  # noqa: F401 - registers the delivery log
    operations,
)
from webhooks.admin_forms import EndpointForm, ReplayForm, RotateSecretForm, TestEventForm
from webhooks.endpoint_stats import endpoint_stats
from webhooks.models import Delivery, DeliveryStatus, Endpoint

Values = dict[str, Any]

UNREADABLE: Final = "Waiting: its secret or headers can no longer be decrypted; set them again"


def _rotate(request: HttpRequest, endpoint: Endpoint, values: Values) -> HttpResponse:
    rotated = operations.rotate_secret(
        endpoint=endpoint, grace=values["grace"], now=timezone.now(), actor=person(request)
    )
    return show_secret(request, rotated)


def _test(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    delivery = operations.send_test_event(
        endpoint=endpoint, type=values["event_type"], now=timezone.now()
    )
    return f"A test event is queued: delivery {delivery.pk} in the log."


def _pause(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    operations.update_endpoint(
        endpoint=endpoint, is_active=False, now=timezone.now(), actor=person(request)
    )
    return "It receives no more events."


def _resume(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    operations.update_endpoint(
        endpoint=endpoint, is_active=True, now=timezone.now(), actor=person(request)
    )
    return "It receives new events again. Replay sends those it missed."


def _replay(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    now = timezone.now()
    replayed = operations.replay(endpoint=endpoint, since=now - values["since"], now=now)
    return f"{replayed} events are queued."


def _disabled(endpoint: Endpoint) -> SafeString:
    text = f"Disabled: {endpoint.get_disabled_reason_display()}"
    if endpoint.disabled_at:
        text += f", since {local_time(endpoint.disabled_at, endpoint.business.zone)}"
    return badge(text, Tone.BAD if endpoint.is_disabled_automatically else Tone.QUIET)


def show_secret(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    """The only page that shows the secret."""
    context = {
        **admin.site.each_context(request),
        "title": "Copy the secret now",
        "endpoint": endpoint,
        "opts": Endpoint._meta,
    }
    response = TemplateResponse(request, "webhooks/secret_shown.html", context)
    response["Cache-Control"] = "no-store"
    return response


@admin.register(Endpoint)
class EndpointAdmin(ObjectActionsAdmin):
    form = EndpointForm
    add_roles = change_roles = delete_roles = DEVELOPERS
    list_display = ("state", "address", "business", "events", "description")
    list_select_related = ("business",)
    list_filter = ("business", "is_active", "disabled_reason")
    search_fields = ("url", "description", "business__name")
    ordering = ("-created_at", "-pk")
    autocomplete_fields = ("business",)
    readonly_fields = (
        "state",
        "creator",
        "last_day",
        "waiting",
        "last_failure",
        "log",
        "created_at",
    )
    object_actions = (
        ObjectAction(
            "test",
            "Send test event",
            "Sends the example of an event type to this endpoint alone, signed like any event.",
            _test,
            form=TestEventForm,
            is_offered=lambda endpoint: endpoint.is_active,
            roles=WRITERS,
        ),
        ObjectAction(
            "rotate",
            "Rotate secret",
            "Makes a new secret, which is shown once.",
            _rotate,
            form=RotateSecretForm,
            roles=DEVELOPERS,
        ),
        ObjectAction(
            "pause",
            "Pause",
            "Sends it no more events and cancels pending deliveries. Replay sends them later.",
            _pause,
            is_offered=lambda endpoint: endpoint.is_active,
            roles=DEVELOPERS,
        ),
        ObjectAction(
            "resume",
            "Resume",
            "Sends it the events that happen from now on.",
            _resume,
            is_offered=lambda endpoint: not endpoint.is_active,
            roles=DEVELOPERS,
        ),
        ObjectAction(
            "replay",
            "Replay what it missed",
            "Sends failed and cancelled deliveries, and events that happened while it was off. "
            "Repeating it sends nothing twice.",
            _replay,
            form=ReplayForm,
            is_offered=lambda endpoint: endpoint.is_active,
            roles=DEVELOPERS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        rows = super().get_queryset(request).select_related("created_by_key")
        return rows.filter(deleted_at__isnull=True).defer("previous_secret")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        settable = [
            "business",
            "url",
            "description",
            "event_types",
            "filters",
            "headers",
            "max_in_flight",
            "rate_limit",
            "rate_limit_period",
            "in_order",
        ]
        return settable if obj is None else [*settable, *self.readonly_fields]

    @admin.display(description="events")
    def events(self, endpoint: Endpoint) -> str:
        names = endpoint.event_types
        return ", ".join(names) if len(names) <= 3 else f"{len(names)} types"

    @admin.display(description="status", ordering="is_active")
    def state(self, endpoint: Endpoint) -> SafeString:
        if not endpoint.is_active:
            return _disabled(endpoint)
        if not endpoint.is_readable:
            return badge(UNREADABLE, Tone.BAD)
        zone, until = endpoint.business.zone, endpoint.breaker_until
        if until is not None and until > timezone.now():
            why = "almost every request fails"
            return badge(f"Paused until {local_time(until, zone)}: {why}", Tone.BAD)
        if endpoint.failing_since is not None:
            return badge(f"Failing since {local_time(endpoint.failing_since, zone)}", Tone.BAD)
        return badge("Active", Tone.GOOD)

    @admin.display(description="set up by")
    def creator(self, endpoint: Endpoint) -> str:
        key = endpoint.created_by_key
        return f"API key {key}" if key else str(endpoint.created_by or "unknown")

    @admin.display(description="URL", ordering="url")
    def address(self, endpoint: Endpoint) -> SafeString:
        return short_url(endpoint.url)

    @admin.display(description="last 24 hours")
    def last_day(self, endpoint: Endpoint) -> str:
        stats = endpoint_stats(endpoint, now=timezone.now())
        if stats.success_rate is None:
            return "no requests"
        return (
            f"{stats.attempts} requests, {stats.success_rate:.1%} succeeded, "
            f"half within {stats.p50_ms} ms, 95 % within {stats.p95_ms} ms"
        )

    @admin.display(description="waiting")
    def waiting(self, endpoint: Endpoint) -> int:
        return Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING).count()

    @admin.display(description="last failure")
    def last_failure(self, endpoint: Endpoint) -> str:
        failure = endpoint_stats(endpoint, now=timezone.now()).last_failure
        if failure is None:
            return "none"
        status = failure["http_status"] or failure["outcome"]
        return format_html(
            '{}: {} {} (<a href="{}">delivery {}</a>)',
            local_time(datetime.fromisoformat(failure["at"]), endpoint.business.zone),
            status,
            failure["message"],
            reverse("admin:webhooks_delivery_change", args=[failure["delivery_id"]]),
            failure["delivery_id"],
        )

    @admin.display(description="log")
    def log(self, endpoint: Endpoint) -> str:
        url = reverse("admin:webhooks_delivery_changelist")
        return format_html(
            '<a href="{}?endpoint__id__exact={}">Its deliveries</a>', url, endpoint.pk
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        names = (
            "url",
            "description",
            "event_types",
            "filters",
            "headers",
            "max_in_flight",
            "rate_limit",
            "rate_limit_period",
            "in_order",
        )
        values = {name: form.cleaned_data[name] for name in names}
        if change:
            if "headers" not in form.changed_data:
                del values["headers"]
            before = Endpoint.objects.get(pk=obj.pk)  # the form has already changed `obj`
            saved = operations.update_endpoint(
                endpoint=before, now=timezone.now(), actor=person(request), **values
            )
        else:
            saved = operations.register_endpoint(
                business=obj.business, now=timezone.now(), actor=person(request), **values
            )
        obj.__dict__.update(saved.__dict__)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return show_secret(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        operations.delete_endpoint(endpoint=obj, now=timezone.now(), actor=person(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for endpoint in self.changeable(request, queryset):
            self.delete_model(request, endpoint)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation page lists: the log is not deleted with its endpoint."""
        return [str(endpoint) for endpoint in objs], {"webhook endpoints": len(objs)}, set(), []
