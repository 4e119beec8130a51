from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import holds, operations
from appointments.filters import AppointmentFilters
from appointments.local_start import NonexistentLocalTime
from appointments.models import Appointment, Hold
from appointments.places import (
    Inactive,
    InThePast,
    OutsideWorkingHours,
    SlotUnavailable,
    StaffNotQualified,
    TooFarAhead,
    TooSoon,
    refuse_inactive,
    refuse_unqualified,
)
from appointments.roster import Except
from appointments.serializers import (
    SLOTS_META,
    AppointmentPatch,
    AppointmentSerializer,
    CancellationQuery,
    HoldSerializer,
    NewAppointment,
    NewHold,
    SlotQuery,
    SlotSerializer,
    StatusPatch,
)
from appointments.slots import Slot, find_slots
from customers.models import Customer
from kaivox.api.responses import Answer
from kaivox.api.viewsets import BusinessViewSet, ReadViewSet
from services.models import Service
from staff.models import StaffMember

PLACE_REFUSALS = (
    SlotUnavailable,
    OutsideWorkingHours,
    InThePast,
    TooSoon,
    TooFarAhead,
    StaffNotQualified,
    Inactive,
    NonexistentLocalTime,
)


class AppointmentViewSet(ReadViewSet):
    """Customers' times with members of staff."""

    scope = "appointments"
    queryset = Appointment.objects.with_names()
    shown_from = (Appointment, Customer, Service, StaffMember)
    serializer_class = AppointmentSerializer
    filterset_class = AppointmentFilters
    ordering = "start_time"
    ordering_fields = ("start_time", "created_at", "updated_at")
    query_serializers = {"slots": SlotQuery, "destroy": CancellationQuery}
    body_serializers = {
        "create": NewAppointment,
        "partial_update": AppointmentPatch,
        "status": StatusPatch,
    }
    meta_schemas = {"slots": SLOTS_META}
    refusals = {
        "create": (*PLACE_REFUSALS, holds.HoldExpired, holds.HoldMismatch),
        "partial_update": (*PLACE_REFUSALS, operations.InvalidTransition),
        "status": (operations.InvalidTransition,),
        "destroy": (operations.InvalidTransition,),
        "slots": (StaffNotQualified, Inactive),
    }

    def create(self, request: Request) -> Response:
        """Book a time. Any time that `slots` would offer can be booked, at any minute.

        Without `staff_id` the free member of staff with the fewest appointments that day is chosen.
        """
        appointment = operations.book_appointment(
            business=self.business, now=timezone.now(), **self.body(NewAppointment)
        )
        location = request.build_absolute_uri(f"/api/v1/appointments/{appointment.pk}")
        return self.show(appointment, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Move, end or edit an appointment.

        A move keeps to all booking rules, but its own time does not stand in its way. What is
        refused changes nothing.
        """
        return self._change(self.body(AppointmentPatch, partial=True))

    @extend_schema(operation_id="set_appointment_status")
    @action(detail=True, methods=["patch"], url_path="status")
    def status(self, request: Request, pk: str) -> Response:
        """Set the status: the same as PATCH with `status` alone."""
        return self._change(self.body(StatusPatch))

    def destroy(self, request: Request, pk: str) -> Response:
        """Cancel an appointment. It stays in lists, and its time is free at once."""
        appointment = self.get_object()
        appointment = operations.cancel_appointment(
            business=self.business,
            appointment_id=appointment.pk,
            reason=self.query.get("reason", ""),
            call_id=self.query.get("call_id"),
            expected=self.if_match(appointment),
            now=timezone.now(),
        )
        return self.show(appointment)

    @extend_schema(operation_id="list_slots", responses=SlotSerializer(many=True))
    @action(detail=False, methods=["get"], url_path="slots")
    def slots(self, request: Request) -> Response:
        """Times that can be booked: the starts on the grid of the business.

        Days without slots say why in `meta.reasons`; an empty answer says in `meta.next_available`
        when the next one is.
        """
        query, now = self.query, timezone.now()
        service, staff = query["service"], query.get("staff")
        refuse_inactive(service, staff)
        if staff is not None:
            refuse_unqualified(service, staff)
        zone = query.get("timezone") or self.business.zone
        today = now.astimezone(zone).date()
        first = query.get("date") or query.get("date_from") or today
        last = query.get("date_to") or first
        moved = query.get("exclude_appointment")
        offer = find_slots(
            business=self.business,
            service=service,
            staff=staff,
            first=first,
            last=last,
            zone=zone,
            now=now,
            without=Except(appointment=moved.pk if moved else None),
        )
        meta = {
            "timezone": zone.key,
            "date_from": first.isoformat(),
            "date_to": last.isoformat(),
            "total": len(offer.slots),
            "next_available": offer.next_available and _show_slots([offer.next_available], zone)[0],
            "reasons": {day.isoformat(): reason for day, reason in offer.reasons.items()},
        }
        return Answer(_show_slots(offer.slots, zone), meta=meta)

    def _change(self, changes: dict[str, Any]) -> Response:
        appointment = self.get_object()
        appointment = operations.change_appointment(
            business=self.business,
            appointment_id=appointment.pk,
            changes=changes,
            expected=self.if_match(appointment),
            now=timezone.now(),
        )
        return self.show(appointment)


class HoldViewSet(BusinessViewSet):
    """Times that are kept free for some minutes while a caller makes up their mind."""

    scope = "appointments"
    queryset = Hold.objects.select_related("service", "staff")
    serializer_class = HoldSerializer
    body_serializers = {"create": NewHold}
    refusals = {"create": PLACE_REFUSALS}

    def create(self, request: Request) -> Response:
        """Keep a time free. Give its id as `hold_id` when you book; it ends by itself."""
        values = self.body(NewHold)
        lasts = timedelta(seconds=values.pop("expires_in_seconds"))
        hold = holds.hold_time(business=self.business, lasts=lasts, now=timezone.now(), **values)
        return self.show(hold, status=201)

    def destroy(self, request: Request, pk: str) -> Response:
        """Free the time before the hold ends by itself."""
        hold = self.get_object()
        holds.release_hold(business=self.business, hold_id=hold.pk)
        return self.show(hold)


def _show_slots(slots: list[Slot], zone: Any) -> list[dict[str, Any]]:
    """As `SlotSerializer` describes them. By hand: a month of twenty people has thousands of names."""
    # By `id`: `pk` is a property, and takes four times as long.
    people = {person.id: person.name for slot in slots for person in slot.staff}
    shown = {staff_id: {"id": staff_id, "name": name} for staff_id, name in people.items()}
    return [
        {
            "start_time": _iso(slot.start),
            "end_time": _iso(slot.end),
            "date": local[:10],
            "time": local[11:16],
            "staff": [shown[person.id] for person in slot.staff],
        }
        for slot in slots
        for local in (datetime.fromtimestamp(slot.start, zone).isoformat(),)
    ]


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat()[:19] + "Z"
