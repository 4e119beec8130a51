"""Operations on visits: several services of one customer, booked, moved and cancelled as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from appointments.call_links import CallReference, reject_unknown_call
from appointments.capacity_queries import reject_large_party
from appointments.change_window import check_move
from appointments.groups.models import Visit
from appointments.groups.operations import (
    AppointmentDetails,
    ConcurrentChange,
    Placement,
    SeenVersions,
    book_all,
    cancel_all,
    lock_appointments,
    lock_days_and_resources,
    lock_staff,
    move_all,
    performer_of,
    reject_needless_for_all,
)
from appointments.loaded_availability import PartyService
from appointments.models import Appointment, AppointmentQuerySet, AppointmentStatus
from appointments.reservations import (
    BookingRequest,
    Inactive,
    InThePast,
    OutsideWorkingHours,
    ReservedSlot,
    SlotUnavailable,
    StaffNotQualified,
    TooFarAhead,
    TooSoon,
    error_for,
    reject_inactive,
    reject_unqualified,
    reserved_slot,
)
from appointments.slots import performers
from appointments.status_transitions import InvalidTransition
from appointments.visits.blocked_ranges import cut_slots
from appointments.visits.plans import VisitAvailability, VisitPart, back_to_back
from customers.operations import reject_erased
from kaivox.businesses.models import Business
from kaivox.db.transactions import write_transaction
from kaivox.errors import DomainError, NotFound, Unavailable
from services.models import Service
from staff.models import StaffMember

# How often an operation starts again where another request was faster.
_MAX_ATTEMPTS: Final = 5
# Of a person who was free before the lock. Another may still be free.
_NO_LONGER: Final = (
    SlotUnavailable,
    OutsideWorkingHours,
    InThePast,
    TooSoon,
    TooFarAhead,
    Inactive,
    StaffNotQualified,
    NotFound,
)


@dataclass(frozen=True, slots=True)
class VisitRequest:
    """A visit to be booked for a party: the first service begins at `start`, each other when the one
    before it ends. Where the member of staff of a service is None, anyone who offers it will do."""

    business: Business
    services: Sequence[tuple[Service, StaffMember | None]]
    start: datetime
    now: datetime
    party_size: int = 1


@dataclass(frozen=True, slots=True)
class _Planned:
    """A part of a visit with the person who performs it, if it needs one."""

    wanted: PartyService
    staff: StaffMember | None
    start: datetime
    resource_ids: tuple[int, ...] = ()

    @property
    def service(self) -> Service:
        return self.wanted.service


def visit_parts(
    services: Sequence[tuple[Service, StaffMember | None]], party_size: int = 1
) -> list[VisitPart]:
    """The parts of a visit, back to back. Raises Inactive, StaffNotQualified, PartyTooLarge."""
    chosen = []
    for service, staff in services:
        reject_inactive(service, staff)
        reject_large_party(service, party_size)
        if staff is not None:
            reject_unqualified(service, staff)
        people = performers(service, staff)
        if not people:
            raise StaffNotQualified(f"No active member of staff offers {service.name}.")
        chosen.append((service, people))
    return back_to_back(chosen, party_size)


def book_visit(request: VisitRequest, details: AppointmentDetails) -> Visit:
    """Books every service of the visit, or none, and records `appointment.booked` of each.

    Raises what `reserve_slot` raises, CustomerErased, and Invalid for an unknown call.
    """
    reject_unknown_call(request.business, details.call)
    reject_erased(details.customer)
    parts = visit_parts(request.services, request.party_size)
    is_fixed = all(staff for service, staff in request.services if service.needs_staff)
    for _ in range(_MAX_ATTEMPTS):
        planned = _plan(request.business, parts, request.start, request.now)
        try:
            with lock_staff(request.business, [(one.service, one.staff) for one in planned]):
                fixed = [
                    replace(part, staff=[one.staff])
                    for one, part in zip(planned, parts, strict=True)
                ]
                lock_days_and_resources(
                    request.business, ((one.service, one.start) for one in planned)
                )
                planned = _plan(
                    request.business, fixed, request.start, request.now, locks_resources=True
                )
                return _write(request, planned, details)
        except _NO_LONGER:
            if is_fixed:
                raise
    raise Unavailable(retry_after=1)


def move_visit(
    *,
    visit: Visit,
    now: datetime,
    start: datetime | None = None,
    staff: StaffMember | None = None,
    call: CallReference | None = None,
    seen: SeenVersions | None = None,
    overrides_window: bool = False,
) -> Visit:
    """Moves the scheduled appointments of the visit, all or none, and records
    `appointment.rescheduled` of each.

    The first of them moves to `start`, the others by the same time. The staff stay the same, unless
    `staff` gets them all. What is None stays.

    Raises what `reserve_slot` raises, InvalidTransition, TooLateToChange unless `overrides_window`,
    PreconditionFailed, Unavailable, and Invalid for an unknown call.
    """
    reject_unknown_call(visit.business, call)
    for _ in range(_MAX_ATTEMPTS):
        if start is None and staff is None:
            return visit
        rows = scheduled_of(visit)
        if not rows:
            raise InvalidTransition("No appointment of this visit is scheduled any more.")
        reject_needless_for_all([one.service for one in rows], staff)
        begins = start or rows[0].start_time
        if begins == rows[0].start_time and all(
            staff is None or performer_of(one, staff) == one.staff for one in rows
        ):
            return visit
        if not overrides_window:
            for one in rows:
                check_move(one, now=now)
        try:
            _move(visit, rows, begins, staff, call=call, now=now, seen=seen)
        except ConcurrentChange:
            continue
        return visit
    raise Unavailable(retry_after=1)


def cancel_visit(
    *,
    visit: Visit,
    now: datetime,
    reason: str = "",
    call: CallReference | None = None,
    seen: SeenVersions | None = None,
    overrides_window: bool = False,
) -> Visit:
    """Cancels the scheduled appointments of the visit, and records `appointment.cancelled` of each.
    Others stay as they are. Raises PreconditionFailed, TooLateToChange unless `overrides_window`, and
    Invalid for an unknown call."""
    reject_unknown_call(visit.business, call)
    with write_transaction():
        appointments = lock_appointments(_scheduled(visit), seen)
        cancel_all(
            appointments, reason=reason, call=call, overrides_window=overrides_window, now=now
        )
    return visit


def scheduled_of(visit: Visit) -> list[Appointment]:
    """The scheduled appointments of the visit, by start."""
    return list(_scheduled(visit).with_related().order_by("start_time", "pk"))


def parts_of(
    appointments: Sequence[Appointment], staff: StaffMember | None = None
) -> list[VisitPart]:
    """The parts of a visit as they are, with their present staff or with `staff`."""
    first = appointments[0].start_time
    return [
        VisitPart(
            PartyService(one.service, one.party_size),
            [performer_of(one, staff)],
            int((one.start_time - first).total_seconds()),
        )
        for one in appointments
    ]


def _plan(
    business: Business,
    parts: Sequence[VisitPart],
    start: datetime,
    now: datetime,
    moved: Sequence[Appointment] = (),
    locks_resources: bool = False,
) -> list[_Planned]:
    """Who performs each part at `start`. Raises as `reserve_slot`."""
    day = start.astimezone(business.zone).date()
    availability = VisitAvailability(
        business, parts, day, day, now=now, moved=moved, locks_resources=locks_resources
    )
    begins = int(start.timestamp())
    chosen = availability.assignment(begins)
    if chosen is not None:
        return [
            _Planned(part.wanted, staff, start + timedelta(seconds=part.offset), resource_ids)
            for part, (staff, resource_ids) in zip(parts, chosen, strict=True)
        ]
    problem = availability.reason(begins)
    if problem is None:
        raise SlotUnavailable("No one can perform all services of this visit one after the other.")
    part, reason = problem
    at = start + timedelta(seconds=part.offset)
    staff = part.staff[0] if len(part.staff) == 1 else None
    raise _named(error_for(reason, BookingRequest(business, part.service, staff, at, now)), part)


def _named(error: DomainError, part: VisitPart) -> DomainError:
    """`error` with the name of the service that cannot be booked."""
    message = f"{part.service.name}: {error.message}"
    return type(error)(message, errors={"start_time": [message]}, meta=error.meta)


def _write(
    request: VisitRequest, planned: Sequence[_Planned], details: AppointmentDetails
) -> Visit:
    visit = Visit.objects.create(business=request.business, customer=details.customer)
    placements = []
    for one, slot in zip(planned, _slots(request.business, planned, request.now), strict=True):
        appointment = details.appointment(request.business, one.service)
        appointment.visit = visit
        placements.append(Placement(appointment, slot))
    book_all(placements, call=details.call, now=request.now)
    return visit


def _move(
    visit: Visit,
    rows: Sequence[Appointment],
    start: datetime,
    staff: StaffMember | None,
    *,
    call: CallReference | None,
    now: datetime,
    seen: SeenVersions | None,
) -> None:
    """Moves `rows`. Raises ConcurrentChange where, once they are locked, they are no longer these."""
    needed = [(one.service, performer_of(one, staff)) for one in rows]
    with lock_staff(visit.business, needed, also={one.staff_id for one in rows}):
        services = [(part.service, part.offset) for part in parts_of(rows, staff)]
        lock_days_and_resources(
            visit.business, ((one, start + timedelta(seconds=after)) for one, after in services)
        )
        locked = lock_appointments(_scheduled(visit), seen)
        if [one.slot_state() for one in locked] != [one.slot_state() for one in rows]:
            raise ConcurrentChange
        parts = parts_of(locked, staff)
        planned = _plan(visit.business, parts, start, now, moved=locked, locks_resources=True)
        slots = _slots(visit.business, planned, now)
        moves = [Placement(one, slot) for one, slot in zip(locked, slots, strict=True)]
        move_all(moves, call=call, now=now)


def _slots(business: Business, planned: Sequence[_Planned], now: datetime) -> list[ReservedSlot]:
    """The slots of `planned`, which do not overlap each other."""
    slots = [
        reserved_slot(
            BookingRequest(
                business,
                one.service,
                one.staff,
                one.start,
                now,
                party_size=one.wanted.party_size,
            ),
            one.staff,
            one.resource_ids,
        )
        for one in planned
    ]
    return cut_slots(slots)


def _scheduled(visit: Visit) -> AppointmentQuerySet:
    rows: AppointmentQuerySet = Appointment.objects.for_business(visit.business)
    return rows.filter(visit=visit, status=AppointmentStatus.SCHEDULED)
