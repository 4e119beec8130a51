"""The admin's pages of webhook endpoints; those of the log are in `webhooks.admin_log`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import OWNERS, WRITERS
from webhooks import operations
from webhooks.admin_forms import EndpointForm, ReplayForm, RotateSecretForm, TestEventForm
from webhooks.admin_log import DeliveryAdmin
from webhooks.health import health_of
from webhooks.models import Delivery, DeliveryStatus, Endpoint

__all__ = ["DeliveryAdmin", "EndpointAdmin"]

Values = dict[str, Any]


def _rotate(request: HttpRequest, endpoint: Endpoint, values: Values) -> HttpResponse:
    rotated = operations.rotate_secret(endpoint=endpoint, grace=values["grace"], now=timezone.now())
    return show_secret(request, rotated)


def _test(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    delivery = operations.send_test_event(
        endpoint=endpoint, type=values["event_type"], now=timezone.now()
    )
    return f"A test event is on its way: delivery {delivery.pk} in the log."


def _pause(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    operations.update_endpoint(endpoint=endpoint, is_active=False, now=timezone.now())
    return "Nothing more is sent to it."


def _resume(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    operations.update_endpoint(endpoint=endpoint, is_active=True, now=timezone.now())
    return "It gets events again, from now on. Replay sends what it missed."


def _replay(request: HttpRequest, endpoint: Endpoint, values: Values) -> str:
    now = timezone.now()
    replayed = operations.recover(endpoint=endpoint, since=now - values["since"], now=now)
    return f"{replayed} events are on their way."


def show_secret(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    """The page with the secret, which is shown here and nowhere else."""
    context = {
        **admin.site.each_context(request),
        "title": "Copy the secret now",
        "endpoint": endpoint,
        "opts": Endpoint._meta,
    }
    response = TemplateResponse(request, "admin/webhooks/secret_shown.html", context)
    response["Cache-Control"] = "no-store"
    return response


@admin.register(Endpoint)
class EndpointAdmin(ActsAdmin):
    form = EndpointForm
    add_roles = change_roles = delete_roles = OWNERS
    list_display = ("url", "business", "events", "state", "description")
    list_select_related = ("business",)
    list_filter = ("business", "is_active", "disabled_reason")
    search_fields = ("url", "description", "business__name")
    ordering = ("-created_at", "-pk")
    autocomplete_fields = ("business",)
    readonly_fields = ("state", "lately", "waiting", "last_failure", "log", "created_at")
    acts = (
        Act(
            "test",
            "Send test event",
            "Sends the example of an event type to this endpoint alone, signed like any event.",
            _test,
            form=TestEventForm,
            is_offered=lambda endpoint: endpoint.is_active,
            roles=WRITERS,
        ),
        Act(
            "rotate",
            "Rotate secret",
            "Makes a new secret, which is shown once.",
            _rotate,
            form=RotateSecretForm,
        ),
        Act(
            "pause",
            "Pause",
            "Nothing more is sent to it and what waits is called off. Replay sends it later.",
            _pause,
            is_offered=lambda endpoint: endpoint.is_active,
        ),
        Act(
            "resume",
            "Resume",
            "It gets the events that happen from now on.",
            _resume,
            is_offered=lambda endpoint: not endpoint.is_active,
        ),
        Act(
            "replay",
            "Replay what it missed",
            "Sends the events that were given up or called off, or that happened while it was off. "
            "Done twice it sends nothing twice.",
            _replay,
            form=ReplayForm,
            is_offered=lambda endpoint: endpoint.is_active,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Endpoint]:
        # Without the secrets: the list has no use for them.
        rows = super().get_queryset(request)
        return rows.filter(deleted_at__isnull=True).defer("secret", "previous_secret")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        settable = ["business", "url", "description", "event_types", "max_in_flight"]
        return settable if obj is None else [*settable, *self.readonly_fields]

    @admin.display(description="events")
    def events(self, endpoint: Endpoint) -> str:
        names = endpoint.event_types
        return ", ".join(names) if len(names) <= 3 else f"{len(names)} types"

    @admin.display(description="state")
    def state(self, endpoint: Endpoint) -> str:
        if not endpoint.is_active:
            when = (
                f", since {endpoint.disabled_at:%Y-%m-%d %H:%M} UTC" if endpoint.disabled_at else ""
            )
            return f"off: {endpoint.get_disabled_reason_display()}{when}"
        until = endpoint.breaker_until
        if until is not None and until > timezone.now():
            return f"held back until {until:%H:%M:%S} UTC: almost every request fails"
        return "on"

    @admin.display(description="last 24 hours")
    def lately(self, endpoint: Endpoint) -> str:
        health = health_of(endpoint, now=timezone.now())
        if health.success_rate is None:
            return "no requests"
        return (
            f"{health.attempts} requests, {health.success_rate:.1%} succeeded, "
            f"half within {health.p50_ms} ms, 95 % within {health.p95_ms} ms"
        )

    @admin.display(description="waiting")
    def waiting(self, endpoint: Endpoint) -> int:
        return Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING).count()

    @admin.display(description="last failure")
    def last_failure(self, endpoint: Endpoint) -> str:
        failure = health_of(endpoint, now=timezone.now()).last_failure
        if failure is None:
            return "none"
        what = failure["http_status"] or failure["outcome"]
        return format_html(
            '{}: {} {} (<a href="{}">delivery {}</a>)',
            failure["at"],
            what,
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
        names = ("url", "description", "event_types", "max_in_flight")
        values = {name: form.cleaned_data[name] for name in names}
        if change:
            before = Endpoint.objects.get(pk=obj.pk)  # the form has changed `obj`
            saved = operations.update_endpoint(endpoint=before, now=timezone.now(), **values)
        else:
            saved = operations.register_endpoint(business=obj.business, **values)
        obj.__dict__.update(saved.__dict__)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return show_secret(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        operations.delete_endpoint(endpoint=obj, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for endpoint in self.changeable(request, queryset):
            self.delete_model(request, endpoint)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the page of confirmation lists: the log is not deleted with its endpoint."""
        return [str(endpoint) for endpoint in objs], {"webhook endpoints": len(objs)}, set(), []
