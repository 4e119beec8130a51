"""API views of series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.call_links import reject_unknown_call
from appointments.change_window import TooLateToChange
from appointments.filters import GroupFilters
from appointments.groups.models import AppointmentSeries
from appointments.groups.views import GroupViewSet, details_of
from appointments.series.operations import (
    book_series,
    cancel_series,
    first_ahead,
    move_series,
)
from appointments.series.plans import (
    Clash,
    Occurrence,
    SeriesClashes,
    SeriesRequest,
    plan_series,
)
from appointments.series.serializers import (
    NewSeries,
    SeriesCancellation,
    SeriesCancellationQuery,
    SeriesDetailSerializer,
    SeriesPatch,
    SeriesPreviewSerializer,
    SeriesSerializer,
)
from appointments.slot_serializers import render_slots
from appointments.slots import key_of
from appointments.status_transitions import InvalidTransition
from appointments.views import RESERVATION_ERRORS, offering_alternatives
from appointments.wall_time import NonexistentLocalTime
from customers.operations import CustomerErased
from kaivox.api.fields import format_instant
from kaivox.api.responses import EnvelopeResponse
from kaivox.businesses.models import Business

_PLAN_FIELDS = ("service", "staff", "start", "party_size", "rule", "exceptions")


@extend_schema(tags=["series"])
class SeriesViewSet(GroupViewSet):
    """Series of appointments: every so many days, weeks or months."""

    noun = "series"
    queryset = AppointmentSeries.objects.select_related("business")
    serializer_class = SeriesSerializer
    detail_serializer_class = SeriesDetailSerializer
    filterset_class = GroupFilters
    ordering = "created_at"
    ordering_fields = ("created_at",)
    query_serializers = {"destroy": SeriesCancellationQuery}
    body_serializers = {
        "create": NewSeries,
        "preview": NewSeries,
        "partial_update": SeriesPatch,
        "destroy": SeriesCancellation,
    }
    refusals = {
        "create": (*RESERVATION_ERRORS, SeriesClashes, CustomerErased),
        "preview": RESERVATION_ERRORS,
        "partial_update": (
            *RESERVATION_ERRORS,
            SeriesClashes,
            InvalidTransition,
            TooLateToChange,
        ),
        "destroy": (TooLateToChange,),
    }

    def create(self, request: Request) -> Response:
        """Book a series of appointments, all of them or none.

        The first is at `start_time`, the others at the same local time, also where the clocks
        change. Where some cannot be booked, `meta.clashes` of the error names each; decide on them in
        `exceptions` and send the body again.
        """
        now = timezone.now()
        with offering_alternatives(request.auth, now) as asked, showing_clashes(request.auth):
            values = self.body(NewSeries)
            asked.update(values)
            series = book_series(self._request(values, now), details_of(values))
        location = request.build_absolute_uri(f"/api/v1/appointments/series/{series.pk}")
        return self.show(series, status=201, headers={"Location": location})

    @extend_schema(operation_id="preview_series", responses=SeriesPreviewSerializer)
    @action(detail=False, methods=["post"], url_path="preview")
    def preview(self, request: Request) -> Response:
        """List the appointments that the same body would book, and why some cannot be booked.

        Nothing is booked or held.
        """
        now = timezone.now()
        with offering_alternatives(request.auth, now) as asked:
            values = self.body(NewSeries)
            asked.update(values)
            reject_unknown_call(self.business, values.get("call_id"))
            plan = plan_series(self._request(values, now))
        occurrences = _render_occurrences(plan.occurrences, request.auth)
        data = {
            "staff_id": key_of(plan.staff),
            "staff_name": plan.staff.name if plan.staff else None,
            "count": plan.count,
            "clashes": len(plan.clashes),
            "occurrences": occurrences,
        }
        return EnvelopeResponse(data)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Move an appointment of the series and those that follow, all of them or none.

        The new start is that of the first of them; the others move by as many days and as much local
        time. `staff_id` gives them to another member of staff.
        """
        series, now = self.get_object(), timezone.now()
        changes = self._changes(series, now)
        seen = self.seen_versions(series)
        with showing_clashes(request.auth):
            move_series(
                series=series,
                now=now,
                seen=seen,
                overrides_window=self.overrides_window(),
                **changes,
            )
        return self.show(series)

    @extend_schema(responses={200: SeriesDetailSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Cancel an appointment of the series and those that follow, or all that are ahead.

        Send the parameters in the query or in a JSON body.
        """
        series = self.get_object()
        values = self.cancellation(SeriesCancellation)
        seen = self.seen_versions(series)
        cancel_series(series=series, now=timezone.now(), seen=seen, **values)
        return self.show(series)

    def _request(self, values: dict[str, Any], now: datetime) -> SeriesRequest:
        asked = {name: values[name] for name in _PLAN_FIELDS if name in values}
        return SeriesRequest(business=self.business, now=now, **asked)

    def _changes(self, series: AppointmentSeries, now: datetime) -> Any:
        """The body of a move. A start that does not exist is an error of its first appointment."""
        try:
            return self.body(SeriesPatch, change=series)
        except NonexistentLocalTime as error:
            first = error.asked.get("first") or first_ahead(series, now)
            if first is None:
                raise
            with offering_alternatives(self.request.auth, now, moved=first):
                raise


@contextmanager
def showing_clashes(auth: Any) -> Iterator[None]:
    """Adds `meta.clashes` to SeriesClashes."""
    try:
        yield
    except SeriesClashes as error:
        error.meta["clashes"] = _render_occurrences(error.clashes, auth)
        raise


def _render_occurrences(occurrences: Sequence[Occurrence], auth: Any) -> list[dict[str, Any]]:
    return [_render_occurrence(one, auth.business, auth) for one in occurrences]


def _render_occurrence(one: Occurrence, business: Business, auth: Any) -> dict[str, Any]:
    local = one.start.astimezone(business.zone) if one.start else None
    return {
        "number": one.number,
        "appointment_id": one.moved.pk if one.moved else None,
        "start_time": format_instant(one.start) if one.start else None,
        "end_time": format_instant(one.end) if one.end else None,
        "appointment_date": f"{local:%Y-%m-%d}" if local else None,
        "appointment_time": f"{local:%H:%M}" if local else None,
        "clash": _render_clash(one.clash, business, auth) if one.clash else None,
    }


def _render_clash(clash: Clash, business: Business, auth: Any) -> dict[str, Any]:
    shown = list(clash.alternatives) if auth.has_scope("slots:read") else []
    return {
        "reason": clash.reason,
        "message": clash.message,
        "alternatives": render_slots(shown, business.zone),
    }
