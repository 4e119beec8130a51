"""Admin of the delivery log: read-only, except for redelivery."""

from __future__ import annotations

import json
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kaivox.admin.base import WRITERS, BusinessOwnedInline
from kaivox.admin.columns import Tone, local_time, short_url, status_column, wrapping
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from kaivox.api.values import parse_id
from kaivox.errors import DomainError
from webhooks import operations
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Attempt, AttemptOutcome, Delivery, DeliveryStatus

NO_ROLES: frozenset[str] = frozenset()

_TONES: Final = {
    DeliveryStatus.PENDING: Tone.INFO,
    DeliveryStatus.IN_FLIGHT: Tone.INFO,
    DeliveryStatus.SUCCEEDED: Tone.GOOD,
    DeliveryStatus.EXHAUSTED: Tone.BAD,
    DeliveryStatus.CANCELLED: Tone.QUIET,
}


class AttemptInline(BusinessOwnedInline):
    model = Attempt
    add_roles = change_roles = delete_roles = NO_ROLES
    ordering = ("number",)
    fields = ("number", "trigger", "started_at", "result", "duration", "request", "response")
    readonly_fields = fields
    verbose_name_plural = "attempts"

    @admin.display(description="result")
    def result(self, attempt: Attempt) -> str:
        status = attempt.http_status or attempt.get_outcome_display()
        return f"{status} {attempt.error_message}".strip()

    @admin.display(description="duration")
    def duration(self, attempt: Attempt) -> str:
        return "" if attempt.duration_ms is None else f"{attempt.duration_ms} ms"

    @admin.display(description="request")
    def request(self, attempt: Attempt) -> str:
        lines = [f"POST {attempt.url}", *(f"{k}: {v}" for k, v in attempt.request_headers.items())]
        return _preformatted("\n".join(lines))

    @admin.display(description="response (first 4 KiB)")
    def response(self, attempt: Attempt) -> str:
        text = bytes(attempt.response_body).decode(errors="replace")
        return _preformatted(text + ("\n…" if attempt.response_truncated else ""))


class StatusClassFilter(admin.SimpleListFilter):
    title = "HTTP status"
    parameter_name = "http"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((str(n), f"{n}xx") for n in (2, 3, 4, 5)), ("none", "No response")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == "none":
            return queryset.filter(last_http_status__isnull=True).exclude(last_error="")
        if (number := parse_id(value or "")) and number < 10:
            first = number * 100
            return queryset.filter(last_http_status__gte=first, last_http_status__lt=first + 100)
        return queryset


class EventTypeFilter(admin.SimpleListFilter):
    """All known types: Django's own filter would collect them from every row."""

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
        # HTTP errors have a filter of their own, by status.
        excluded = (AttemptOutcome.IN_FLIGHT, AttemptOutcome.SUCCEEDED, AttemptOutcome.HTTP_ERROR)
        return [(kind.value, kind.label) for kind in AttemptOutcome if kind not in excluded]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(last_error=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(ObjectActionsAdmin):
    """Read-only, except for redelivery."""

    add_roles = delete_roles = NO_ROLES
    change_roles = NO_ROLES
    inlines = (AttemptInline,)
    list_display = (
        "state",
        "last_response",
        "event_type",
        "receiver",
        "business",
        "attempt_count",
        "created_at",
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
    # Makes Django show the search box; `get_search_results` does the search.
    search_fields = ("event__uid",)
    search_help_text = "An event id (evt_…), or the id of the appointment, call or customer in it."
    ordering = ("-pk",)  # creation order; across businesses only the primary key has an index
    show_full_result_count = False
    actions = ("redeliver_selected",)
    fields = (
        "event_type",
        "event_uid",
        "endpoint",
        "business",
        "state",
        "attempt_count",
        "next",
        "delivered_at",
        "created_at",
        "body",
    )
    readonly_fields = fields
    object_actions = (
        ObjectAction(
            "redeliver",
            "Send again",
            "Sends one more request now, with the same id and bytes and a new signature.",
            lambda request, delivery, values: _redeliver(delivery),
            is_offered=lambda delivery: delivery.endpoint.is_active,
            roles=WRITERS,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        deferred = (
            "endpoint__secret",
            "endpoint__previous_secret",
            "endpoint__custom_headers",
            "event__body",
        )
        return (
            super()
            .get_queryset(request)
            .select_related("event", "endpoint", "business")
            .defer(*deferred)
        )

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
    def event_type(self, delivery: Delivery) -> SafeString:
        return wrapping(delivery.event.type)

    @admin.display(description="endpoint", ordering="endpoint__url")
    def receiver(self, delivery: Delivery) -> SafeString:
        return short_url(delivery.endpoint.url)

    @admin.display(description="event id")
    def event_uid(self, delivery: Delivery) -> str:
        return delivery.event.uid

    state = status_column("status", _TONES)

    @admin.display(description="next attempt", ordering="next_attempt_at")
    def next(self, delivery: Delivery) -> str:
        pending = delivery.status == DeliveryStatus.PENDING
        return local_time(delivery.next_attempt_at if pending else None, delivery.business.zone)

    @admin.display(description="response")
    def last_response(self, delivery: Delivery) -> str:
        return str(delivery.last_http_status or delivery.last_error or "–")

    @admin.display(description="body")
    def body(self, delivery: Delivery) -> str:
        return _preformatted(
            json.dumps(json.loads(bytes(delivery.event.body)), indent=2, ensure_ascii=False)
        )

    @admin.action(description="Send the selected ones again")
    def redeliver_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        rejected = 0
        rows = [row for row in queryset if self._may(request, WRITERS, row)]
        for delivery in rows:
            try:
                operations.redeliver(delivery=delivery, now=timezone.now())
            except DomainError:
                rejected += 1
        messages.success(request, f"{len(rows) - rejected} deliveries are queued again.")
        if rejected:
            messages.warning(
                request, f"{rejected} are in flight, or their endpoint is switched off."
            )


def _redeliver(delivery: Delivery) -> str:
    operations.redeliver(delivery=delivery, now=timezone.now())
    return "It is queued again."


def _preformatted(text: str) -> str:
    return format_html("<pre>{}</pre>", text)
