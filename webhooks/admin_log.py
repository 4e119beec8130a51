"""The admin's pages of the delivery log: read only, but for sending again."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from kaivox.api.fields import parse_id
from kaivox.businesses.admin_acts import Act, ActsAdmin
from kaivox.businesses.admin_base import WRITERS, BusinessOwnedInline
from kaivox.errors import DomainError
from webhooks import operations
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Attempt, Delivery, DeliveryStatus, Outcome

NOBODY: frozenset[str] = frozenset()


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
        return (
            super()
            .get_queryset(request)
            .select_related("event", "endpoint", "business")
            .defer(*unread)
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
