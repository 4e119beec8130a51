"""API views of appointments, slots and holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import holds, operations
from appointments.availability_queries import Exclusions
from appointments.capacity_queries import PartyTooLarge, reject_large_party, reject_missing_kind
from appointments.change_views import ChangeViewSet
from appointments.change_window import TooLateToChange
from appointments.filters import AppointmentFilters
from appointments.models import Appointment, Hold
from appointments.reservations import (
    Inactive,
    InThePast,
    OutsideWorkingHours,
    SlotUnavailable,
    StaffNotQualified,
    TooFarAhead,
    TooSoon,
    reject_inactive,
    reject_unqualified,
)
from appointments.serializers import (
    AppointmentPatch,
    AppointmentSerializer,
    Cancellation,
    CancellationQuery,
    HoldPatch,
    HoldSerializer,
    NewAppointment,
    NewHold,
    StatusPatch,
)
from appointments.slot_serializers import (
    SLOTS_META,
    SlotQuery,
    SlotSerializer,
    days_asked,
    filter_asked,
    render_slots,
    slots_meta,
)
from appointments.slots import find_slots, next_slots
from appointments.status_transitions import InvalidTransition
from appointments.wall_time import NonexistentLocalTime
from customers.models import Customer
from customers.operations import CustomerErased
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.viewsets import ReadViewSet
from kaivox.businesses.auth.permissions import require_scope
from kaivox.businesses.models import ApiKey
from kaivox.errors import DomainError
from services.models import Service
from staff.models import StaffMember

RESERVATION_ERRORS: Final = (
    SlotUnavailable,
    OutsideWorkingHours,
    InThePast,
    TooSoon,
    TooFarAhead,
    StaffNotQualified,
    PartyTooLarge,
    Inactive,
    NonexistentLocalTime,
)
HOLD_ERRORS: Final = (holds.HoldExpired, holds.HoldMismatch)

# Errors that another start, or anyone else at that start, can avoid: their responses offer some.
WITH_ALTERNATIVES: Final = (
    SlotUnavailable,
    OutsideWorkingHours,
    InThePast,
    TooSoon,
    TooFarAhead,
    StaffNotQualified,
    Inactive,
    NonexistentLocalTime,
    *HOLD_ERRORS,
)
MAX_ALTERNATIVES: Final = 3


class AppointmentViewSet(ChangeViewSet):
    """Customers' appointments with members of staff."""

    action_scopes = {"slots": "slots"}
    queryset = Appointment.objects.with_related()
    version_models = (Appointment, Customer, Service, StaffMember)
    serializer_class = AppointmentSerializer
    filterset_class = AppointmentFilters
    ordering = "start_time"
    ordering_fields = ("start_time", "created_at", "updated_at")
    query_serializers = {"slots": SlotQuery, "destroy": CancellationQuery}
    body_serializers = {
        "create": NewAppointment,
        "partial_update": AppointmentPatch,
        "status": StatusPatch,
        "destroy": Cancellation,
    }
    meta_schemas = {"slots": SLOTS_META}
    refusals = {
        "create": (*RESERVATION_ERRORS, *HOLD_ERRORS, CustomerErased),
        "partial_update": (*RESERVATION_ERRORS, *HOLD_ERRORS, InvalidTransition, TooLateToChange),
        "status": (InvalidTransition, TooLateToChange),
        "destroy": (InvalidTransition, TooLateToChange),
        "slots": (StaffNotQualified, Inactive, PartyTooLarge),
    }

    def create(self, request: Request) -> Response:
        """Book an appointment, at any minute that obeys the booking rules.

        Without `staff_id` the free member of staff with the fewest appointments that day is chosen.
        Where the time cannot be booked, `meta.alternatives` has the next free slots.
        """
        now = timezone.now()
        with offering_alternatives(request.auth, now) as asked:
            values = self.body(NewAppointment)
            asked.update(values)
            appointment = operations.book_appointment(business=self.business, now=now, **values)
        location = request.build_absolute_uri(f"/api/v1/appointments/{appointment.pk}")
        return self.show(appointment, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Move, complete, cancel or edit an appointment.

        All booking rules apply to a move, except that the appointment does not block its own time. A
        rejected request changes nothing.
        """
        appointment = self.get_object()
        now = timezone.now()
        with offering_alternatives(request.auth, now, moved=appointment) as asked:
            changes = self.body(AppointmentPatch, change=appointment)
            asked.update(changes)
            return self._update(appointment, changes, now)

    @extend_schema(operation_id="set_appointment_status")
    @action(detail=True, methods=["patch"], url_path="status")
    def status(self, request: Request, pk: str) -> Response:
        """Set the status: the same as PATCH with `status` alone."""
        appointment = self.get_object()
        changes = self.body(StatusPatch, change=appointment, partial=False)
        return self._update(appointment, changes, timezone.now())

    def destroy(self, request: Request, pk: str) -> Response:
        """Cancel an appointment. It stays in lists, and its time is free at once.

        Send `reason` and `call_id` in the query or in a JSON body.
        """
        appointment = self.get_object()
        values = self.cancellation(Cancellation)
        appointment = operations.cancel_appointment(
            business=self.business,
            appointment_id=appointment.pk,
            expected=self.expected_version(appointment),
            now=timezone.now(),
            **values,
        )
        return self.show(appointment, written=("status", "cancellation_reason"))

    @extend_schema(operation_id="list_slots", responses=SlotSerializer(many=True))
    @action(detail=False, methods=["get"], url_path="slots")
    def slots(self, request: Request) -> Response:
        """List the starts on the business's grid that can be booked.

        On a day on which only starts between the points of the grid are free, these are listed.
        `meta.reasons` has the reason of each day without slots; `meta.next_available` has the next
        slot where there is none at all.
        """
        query, now = dict(self.query), timezone.now()
        service, staff = query["service"], query.get("staff")
        party_size = query.get("party_size", 1)
        reject_inactive(service, staff)
        reject_large_party(service, party_size)
        if staff is not None:
            reject_unqualified(service, staff)
        zone = query.get("timezone") or self.business.zone
        first, last = days_asked(query, zone, now)
        moved = query.get("exclude_appointment")
        if moved is not None:
            # The slots that are free without it show when it is.
            require_scope(request.auth, "appointments:read", purpose="for exclude_appointment_id")
        result = find_slots(
            business=self.business,
            service=service,
            staff=staff,
            first=first,
            last=last,
            zone=zone,
            now=now,
            without=Exclusions(appointment=moved.pk if moved else None),
            only=filter_asked(query),
        )
        reject_missing_kind(service, party_size, result.missing_kind)
        meta = slots_meta(result, first, last, zone, render_slots)
        return EnvelopeResponse(render_slots(result.slots, zone), meta=meta)

    def _update(
        self, appointment: Appointment, changes: dict[str, Any], now: datetime
    ) -> EnvelopeResponse:
        updated = operations.update_appointment(
            business=self.business,
            appointment_id=appointment.pk,
            changes=changes,
            expected=self.expected_version(appointment),
            overrides_window=self.overrides_window(),
            now=now,
        )
        return self.show(updated)


class HoldViewSet(ReadViewSet):
    """Slots that are reserved for some minutes while a customer decides."""

    scope = "appointments"
    queryset = Hold.objects.select_related("service", "staff")
    serializer_class = HoldSerializer
    ordering = "start_time"
    ordering_fields = ("start_time", "created_at")
    body_serializers = {"create": NewHold, "partial_update": HoldPatch}
    refusals = {
        "create": (*RESERVATION_ERRORS, holds.TooManyHolds),
        "partial_update": (holds.HoldExpired,),
    }

    def get_queryset(self) -> QuerySet[Any]:
        rows: Any = super().get_queryset()
        # Ended holds are stored for a day, so that writes to them get `hold_expired`.
        return rows.live(timezone.now()) if self.request.method in ("GET", "HEAD") else rows

    def create(self, request: Request) -> Response:
        """Hold a slot. Send its id as `hold_id` with the booking; it ends by itself."""
        auth, now = request.auth, timezone.now()
        key = auth if isinstance(auth, ApiKey) else None
        with offering_alternatives(auth, now) as asked:
            values = self.body(NewHold)
            lasts = timedelta(seconds=values.pop("expires_in_seconds"))
            asked.update(values)
            hold = holds.place_hold(
                business=self.business, lasts=lasts, now=now, created_by_key=key, **values
            )
        location = request.build_absolute_uri(f"/api/v1/appointments/holds/{hold.pk}")
        return self.show(hold, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Extend a hold: it ends `expires_in_seconds` from now."""
        hold = self.get_object()
        values = self.body(HoldPatch, change=hold, partial=False)
        lasts = timedelta(seconds=values["expires_in_seconds"])
        hold = holds.extend_hold(
            business=self.business,
            hold_id=hold.pk,
            lasts=lasts,
            expected=self.expected_version(hold),
            now=timezone.now(),
        )
        return self.show(hold, written=("expires_at",))

    @extend_schema(responses={200: HoldSerializer, 204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Free the slot before the hold ends by itself. Where it has ended already: 204."""
        hold = self.get_object()
        now = timezone.now()
        if hold.expires_at <= now:
            return Response(status=204)
        hold = holds.release_hold(
            business=self.business,
            hold_id=hold.pk,
            expected=self.expected_version(hold),
            now=now,
        )
        return self.show(hold)


@contextmanager
def offering_alternatives(
    auth: Any, now: datetime, moved: Appointment | None = None
) -> Iterator[dict[str, Any]]:
    """Adds `meta.alternatives`, the next free slots, to an error that another start avoids. Where `staff`
    cannot be booked at all, they are those of the others.

    The caller adds to the dictionary what it asks for: `service`, `start`, `staff` and `party_size`;
    of a move those that change.
    """
    asked: dict[str, Any] = {}
    if moved is not None:
        asked.update(
            service=moved.service,
            staff=moved.staff,
            start=moved.start_time,
            party_size=moved.party_size,
        )
    try:
        yield asked
    except WITH_ALTERNATIVES as error:
        if isinstance(error, NonexistentLocalTime):
            asked.update(error.asked)  # the body has not been read to its end
        service, staff = asked["service"], asked.get("staff")
        if not _can_perform(staff, service, error):
            staff = None
        if service.is_active and auth.has_scope("slots:read"):
            may_read_moved = moved is not None and auth.has_scope("appointments:read")
            slots = next_slots(
                business=auth.business,
                service=service,
                staff=staff,
                start=asked["start"],
                now=now,
                limit=MAX_ALTERNATIVES,
                party_size=asked.get("party_size") or 1,
                without=Exclusions(appointment=moved.pk if moved and may_read_moved else None),
            )
            error.meta["alternatives"] = render_slots(slots, auth.business.zone)
        raise


def _can_perform(staff: StaffMember | None, service: Service, error: DomainError) -> bool:
    """Whether `staff` performs the service at other times, after `error`."""
    if staff is None or not isinstance(error, NonexistentLocalTime):
        return not isinstance(error, StaffNotQualified | Inactive)
    try:
        reject_inactive(service, staff)
        reject_unqualified(service, staff)
    except (Inactive, StaffNotQualified):
        return False
    return True
