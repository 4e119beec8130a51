"""The admin's pages of webhook endpoints and of the delivery log."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from kaivox.api.fields import parse_id
from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import OWNERS, WRITERS, BusinessOwnedInline
from kaivox.errors import DomainError
from webhooks import operations
from webhooks.admin_forms import EndpointForm, ReplayForm, RotateSecretForm, TestEventForm
from webhooks.event_types import EVENT_TYPES
from webhooks.health import health_of
from webhooks.models import Attempt, Delivery, DeliveryStatus, Endpoint, Outcome

Values = dict[str, Any]
NOBODY: frozenset[str] = frozenset()


# --- Endpoints ---------------------------------------------------------------------------------


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


# --- The log -----------------------------------------------------------------------------------


class AttemptInline(BusinessOwnedInline):
    model = Attempt
    add_roles = change_roles = delete_roles = NOBODY
    ordering = ("number",)
    fields = ("number", "trigger", "started_at", "result", "duration", "sent", "answer")
    readonly_fields = fields
    verbose_name_plural = "attempts"

    @admin.display(description="result")
    def result(self, attempt: Attempt) -> str:
        said = attempt.http_status or attempt.get_outcome_display()
        return f"{said} {attempt.error_message}".strip()

    @admin.display(description="duration")
    def duration(self, attempt: Attempt) -> str:
        return "" if attempt.duration_ms is None else f"{attempt.duration_ms} ms"

    @admin.display(description="request")
    def sent(self, attempt: Attempt) -> str:
        lines = [f"POST {attempt.url}", *(f"{k}: {v}" for k, v in attempt.request_headers.items())]
        return _preformatted("\n".join(lines))

    @admin.display(description="answer (its beginning)")
    def answer(self, attempt: Attempt) -> str:
        text = bytes(attempt.response_body).decode(errors="replace")
        return _preformatted(text + ("\n…" if attempt.response_truncated else ""))


class StatusClassFilter(admin.SimpleListFilter):
    title = "HTTP status"
    parameter_name = "http"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((str(n), f"{n}xx") for n in (2, 3, 4, 5)), ("none", "no answer")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == "none":
            return queryset.filter(last_http_status__isnull=True).exclude(last_error="")
        if value and value.isdigit():
            first = int(value) * 100
            return queryset.filter(last_http_status__gte=first, last_http_status__lt=first + 100)
        return queryset


class EventTypeFilter(admin.SimpleListFilter):
    """The types that there are: Django's own filter would look for them in every row."""

    title = "event"
    parameter_name = "event__type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in EVENT_TYPES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event__type=self.value()) if self.value() else queryset


class ErrorFilter(admin.SimpleListFilter):
    title = "error"
    parameter_name = "last_error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # An answer that is not 2xx is told by its status.
        settled = (Outcome.IN_FLIGHT, Outcome.SUCCEEDED, Outcome.HTTP_ERROR)
        return [(kind.value, kind.label) for kind in Outcome if kind not in settled]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(last_error=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(ActsAdmin):
    """Read only, but for sending again."""

    add_roles = delete_roles = NOBODY
    change_roles = NOBODY
    inlines = (AttemptInline,)
    list_display = (
        "created_at",
        "event_type",
        "event_uid",
        "endpoint",
        "business",
        "status",
        "last_http_status",
        "last_error",
        "attempt_count",
        "next",
    )
    list_select_related = ("event", "endpoint", "business")
    list_filter = (
        "status",
        StatusClassFilter,
        EventTypeFilter,
        ErrorFilter,
        "business",
        "endpoint",
        "created_at",
    )
    # Read by get_search_results; here only so that the box appears.
    search_fields = ("event__uid",)
    search_help_text = "An event id (evt_…), or the id of the appointment, call or customer in it."
    ordering = ("-pk",)  # as they were made; over all businesses only the key has an index
    show_full_result_count = False
    actions = ("redeliver_selected",)
    fields = (
        "event_type",
        "event_uid",
        "endpoint",
        "business",
        "status",
        "attempt_count",
        "next",
        "delivered_at",
        "created_at",
        "body",
    )
    readonly_fields = fields
    acts = (
        Act(
            "redeliver",
            "Send again",
            "One more request, now: the same id, the same bytes, a new signature.",
            lambda request, delivery, values: _redeliver(delivery),
            is_offered=lambda delivery: delivery.endpoint.is_active,
            roles=WRITERS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        unread = ("endpoint__secret", "endpoint__previous_secret", "event__body")
        return super().get_queryset(request).select_related("event", "endpoint").defer(*unread)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        object_id = parse_id(term)
        found = Q(event__uid=term)
        if object_id is not None:
            found |= Q(event__object_id=object_id) | Q(pk=object_id)
        return queryset.filter(found), False

    @admin.display(description="event", ordering="event__type")
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description="event id")
    def event_uid(self, delivery: Delivery) -> str:
        return delivery.event.uid

    @admin.display(description="next attempt", ordering="next_attempt_at")
    def next(self, delivery: Delivery) -> Any:
        return delivery.next_attempt_at if delivery.status == DeliveryStatus.PENDING else None

    @admin.display(description="body")
    def body(self, delivery: Delivery) -> str:
        return _preformatted(
            json.dumps(json.loads(bytes(delivery.event.body)), indent=2, ensure_ascii=False)
        )

    @admin.action(description="Send the selected ones again")
    def redeliver_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        refused = 0
        rows = [row for row in queryset if self._may(request, WRITERS, row)]
        for delivery in rows:
            try:
                operations.redeliver(delivery=delivery, now=timezone.now())
            except DomainError:
                refused += 1
        messages.success(request, f"{len(rows) - refused} deliveries are on their way again.")
        if refused:
            messages.warning(request, f"{refused} are under way now, or their endpoint is off.")


def _redeliver(delivery: Delivery) -> str:
    operations.redeliver(delivery=delivery, now=timezone.now())
    return "It is on its way again."


def _preformatted(text: str) -> str:
    return format_html("<pre>{}</pre>", text)
