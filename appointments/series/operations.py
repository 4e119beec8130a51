"""Operations on series: booked, moved and cancelled as a whole or from one appointment on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from appointments.call_links import CallReference, reject_unknown_call
from appointments.change_window import check_move
from appointments.groups.models import AppointmentSeries
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
from appointments.loaded_availability import LoadedAvailability, PartyService, days_to_read
from appointments.models import Appointment, AppointmentQuerySet, AppointmentStatus
from appointments.reservations import (
    BookingRequest,
    Inactive,
    ReservedSlot,
    StaffNotQualified,
    reserved_slot,
)
from appointments.series.plans import (
    Occurrence,
    SeriesClashes,
    SeriesPlan,
    SeriesRequest,
    at_wall_time,
    plan_series,
    with_clashes,
)
from appointments.slots import key_of
from appointments.status_transitions import InvalidTransition
from customers.operations import reject_erased
from kaivox.businesses.models import Business
from kaivox.db.transactions import write_transaction
from kaivox.errors import Invalid, NotFound, Unavailable
from staff.models import StaffMember

# How often an operation starts again where another request was faster.
_MAX_ATTEMPTS: Final = 5


def book_series(request: SeriesRequest, details: AppointmentDetails) -> AppointmentSeries:
    """Books every appointment of the series that is not left out, or none, and records
    `appointment.booked` of each.

    Raises what `plan_series` raises, SeriesClashes, CustomerErased, Unavailable, and Invalid for an
    unknown call.
    """
    reject_unknown_call(request.business, details.call)
    reject_erased(details.customer)
    for _ in range(_MAX_ATTEMPTS):
        plan = plan_series(request)
        if plan.clashes:
            raise SeriesClashes(plan.occurrences)
        try:
            with lock_staff(request.business, [(request.service, plan.staff)]):
                starts = ((one.service, one.start) for one in plan.occurrences if one.start)
                lock_days_and_resources(request.business, starts)
                plan = plan_series(replace(request, staff=plan.staff), locks_resources=True)
                if plan.clashes:
                    raise SeriesClashes(plan.occurrences)
                return _write(request, plan, details)
        except (SeriesClashes, Inactive, StaffNotQualified, NotFound):
            # Another request was faster; without a requested member of staff another may be free.
            if request.staff is not None:
                raise
    raise Unavailable(retry_after=1)


def cancel_series(
    *,
    series: AppointmentSeries,
    now: datetime,
    first: Appointment | None = None,
    reason: str = "",
    call: CallReference | None = None,
    seen: SeenVersions | None = None,
    overrides_window: bool = False,
) -> AppointmentSeries:
    """Cancels the scheduled appointments of the series that begin with `first` or after it, or else
    after `now`, and records `appointment.cancelled` of each. Others stay as they are.

    Raises PreconditionFailed, TooLateToChange unless `overrides_window`, and Invalid for an unknown
    call or a `first` of no such series.
    """
    reject_unknown_call(series.business, call)
    since = _start_in(series, first) if first else now
    with write_transaction():
        appointments = lock_appointments(_scheduled(series, since), seen)
        cancel_all(
            appointments, reason=reason, call=call, overrides_window=overrides_window, now=now
        )
    return series


def move_series(
    *,
    series: AppointmentSeries,
    now: datetime,
    first: Appointment | None = None,
    start: datetime | None = None,
    staff: StaffMember | None = None,
    call: CallReference | None = None,
    seen: SeenVersions | None = None,
    overrides_window: bool = False,
) -> AppointmentSeries:
    """Moves `first`, or else the next one after `now`, and the scheduled appointments of the series after
    it, all or none, and records `appointment.rescheduled` of each.

    `first` moves to `start`, the others by as many days and as much local time; with `staff` all of
    them get that member of staff. What is None stays.

    Raises SeriesClashes, InvalidTransition where `first` is not scheduled, TooLateToChange unless
    `overrides_window`, Inactive, StaffNotQualified, PreconditionFailed, Unavailable, and Invalid for an
    unknown call or a `first` of no such series.
    """
    reject_unknown_call(series.business, call)
    for _ in range(_MAX_ATTEMPTS):
        if start is None and staff is None:
            return series
        rows = _ahead(series, first, now)
        reject_needless_for_all([one.service for one in rows], staff)
        shift = _local_shift(series.business, rows[0].start_time, start) if start else timedelta()
        if not shift and all(
            staff is None or performer_of(one, staff) == one.staff for one in rows
        ):
            return series
        if not overrides_window:
            for one in rows:
                check_move(one, now=now)
        try:
            _move(rows, start, shift, staff, call=call, now=now, seen=seen)
        except ConcurrentChange:
            continue
        return series
    raise Unavailable(retry_after=1)


def first_ahead(series: AppointmentSeries, now: datetime) -> Appointment | None:
    """The next scheduled appointment of the series after `now`: a move begins with it."""
    rows = _scheduled(series, now).with_related().order_by("start_time", "pk")
    first: Appointment | None = rows.first()
    return first


def _write(
    request: SeriesRequest, plan: SeriesPlan, details: AppointmentDetails
) -> AppointmentSeries:
    rule = request.rule
    series = AppointmentSeries.objects.create(
        business=request.business,
        customer=details.customer,
        frequency=rule.frequency,
        interval=rule.interval,
        weekdays=sorted(rule.weekdays),
        count=plan.count,
    )
    placements = []
    for one in plan.occurrences:
        appointment = details.appointment(request.business, request.service)
        appointment.series = series
        placements.append(Placement(appointment, _slot_of(one, request.business, request.now)))
    placements.sort(key=lambda one: one.slot.start_time)
    book_all(placements, call=details.call, now=request.now)
    return series


def _move(
    rows: Sequence[Appointment],
    start: datetime | None,
    shift: timedelta,
    staff: StaffMember | None,
    *,
    call: CallReference | None,
    now: datetime,
    seen: SeenVersions | None,
) -> None:
    """Moves `rows`, the first one to `start`. Raises ConcurrentChange where, once they are locked, they
    are no longer these."""
    business = rows[0].business
    needed = {(one.service, performer_of(one, staff)) for one in rows}
    with lock_staff(business, needed, also={one.staff_id for one in rows}):
        planned = _shifted(rows, start, shift, staff)
        lock_days_and_resources(
            business, ((one.service, one.start) for one in planned if one.start)
        )
        locked = lock_appointments(_among(business, rows), seen)
        if {one.slot_state() for one in locked} != {one.slot_state() for one in rows}:
            raise ConcurrentChange
        occurrences = _shifted(locked, start, shift, staff)
        services = {service for service, _ in needed}
        availability = LoadedAvailability(
            business,
            {one.wanted for one in occurrences},
            {key_of(person) for _, person in needed},
            *days_to_read(business, services, [one.near for one in occurrences if one.near], now),
            now=now,
            moved=locked,
            locks_resources=True,
        )
        occurrences = with_clashes(occurrences, availability, business, now)
        if any(one.clash for one in occurrences):
            raise SeriesClashes(occurrences)
        moves = [
            Placement(one.moved, _slot_of(one, business, now)) for one in occurrences if one.moved
        ]
        move_all(moves, call=call, now=now)


def _shifted(
    appointments: Sequence[Appointment],
    first_start: datetime | None,
    shift: timedelta,
    staff: StaffMember | None,
) -> list[Occurrence]:
    """`appointments`, the first one moved to `first_start`, the others by `shift` of local time."""
    found = []
    for number, one in enumerate(appointments, 1):
        local = one.start_time.astimezone(one.business.zone).replace(tzinfo=None) + shift
        dated = at_wall_time(one.business, number, local.date(), f"{local:%H:%M}")
        # Without a shift the instant stays: its local time may occur twice.
        start = dated.start if shift else one.start_time
        if number == 1 and first_start is not None:
            start, dated = first_start, replace(dated, problem=None)
        person = performer_of(one, staff)
        wanted = PartyService(one.service, one.party_size)
        found.append(Occurrence(number, wanted, person, start, dated.problem, moved=one))
    return found


def _slot_of(one: Occurrence, business: Business, now: datetime) -> ReservedSlot:
    assert one.start is not None  # noqa: S101 - for mypy: without a start it has a clash
    request = BookingRequest(
        business, one.service, one.staff, one.start, now, party_size=one.wanted.party_size
    )
    return reserved_slot(request, one.staff, one.resource_ids)


def _scheduled(series: AppointmentSeries, since: datetime) -> AppointmentQuerySet:
    rows: AppointmentQuerySet = Appointment.objects.for_business(series.business)
    return rows.filter(series=series, status=AppointmentStatus.SCHEDULED, start_time__gte=since)


def _among(business: Business, rows: Sequence[Appointment]) -> AppointmentQuerySet:
    found: AppointmentQuerySet = Appointment.objects.for_business(business)
    return found.filter(pk__in=[one.pk for one in rows])


def _ahead(
    series: AppointmentSeries, first: Appointment | None, now: datetime
) -> list[Appointment]:
    """The scheduled appointments from `first` on, or else after `now`, in order; as they are now. Raises
    InvalidTransition where `first` is not scheduled, or none is ahead."""
    since = now
    if first is not None:
        current = Appointment.objects.for_business(series.business).get(pk=first.pk)
        since = _start_in(series, current)
        if current.status != AppointmentStatus.SCHEDULED:
            message = f"It is {current.status}; only a scheduled appointment can be moved."
            raise InvalidTransition(message)
    rows = _scheduled(series, since).with_related().order_by("start_time", "pk")
    found = [one for one in rows if first is None or one.start_time > since or one == first]
    if not found:
        raise InvalidTransition("No appointment of this series is ahead.")
    # Others of the series may have been moved to the very start of `first`.
    return sorted(found, key=lambda one: (one.start_time, one != first, one.pk))


def _start_in(series: AppointmentSeries, first: Appointment) -> datetime:
    """The start of `first`. Raises Invalid where it is not of `series`."""
    if first.series_id != series.pk:
        message = "This appointment is not part of this series."
        raise Invalid(errors={"from_appointment_id": [message]})
    return first.start_time


def _local_shift(business: Business, before: datetime, after: datetime) -> timedelta:
    """From one instant to another in local time, whatever the clocks do between them."""
    first, second = (one.astimezone(business.zone).replace(tzinfo=None) for one in (before, after))
    return second - first
