"""Reserves slots: applies the booking rules while the member of staff is locked.

Bookings, holds and moves all call `reserve_slot`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

from django.db import IntegrityError, OperationalError

from appointments.availability import (
    BookingRules,
    UnavailabilityReason,
    is_bookable,
    least_severe,
    reason_at,
)
from appointments.availability_queries import (
    NO_EXCLUSIONS,
    AvailabilityLoader,
    Exclusions,
    StaffKey,
    booking_rules,
)
from appointments.capacity_queries import (
    PartyTooLarge,
    load_capacity,
    reject_large_party,
)
from appointments.daily_cap import lock_capped_day
from appointments.models import (
    LONGEST_BUSY,
    NO_OVERLAP,
    NO_RESOURCE_OVERLAP,
)
from appointments.reservation_queries import BUSY_RANGES, FIRST_FREE_STAFF, LOCKED_STAFF
from appointments.resource_locks import ResourceLock, lock_without_staff, resource_locks
from appointments.slots import key_of, staff_offering
from kaivox.businesses.models import Business
from kaivox.db.transactions import write_transaction
from kaivox.errors import Conflict, DomainError, Invalid, NotFound, Unavailable
from services.models import Service
from staff.models import StaffMember

T = TypeVar("T")

# Each free member of staff may be booked while this request waits for their lock. It then starts
# again, so often in all.
_MAX_ATTEMPTS: Final = 3


class SlotUnavailable(Conflict):
    code = "slot_unavailable"
    message = "This time is not free. Ask for slots again."


class OutsideWorkingHours(Invalid):
    code = "outside_working_hours"
    message = "This time is outside working hours."


class InThePast(Invalid):
    code = "in_the_past"
    message = "This time is in the past."


class TooSoon(Invalid):
    code = "too_soon"
    message = "This time is inside the minimum notice."


class TooFarAhead(Invalid):
    code = "too_far_ahead"
    message = "This time is beyond the booking horizon."


class StaffNotQualified(Invalid):
    code = "staff_not_qualified"
    message = "This member of staff does not offer this service."


class Inactive(Invalid):
    code = "inactive"
    message = "This can no longer be booked."


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A requested start, with `staff` or, where that is None, with anyone who is free; without staff
    where the service needs none. `without` is the appointment or hold that does not block it. The
    minimum notice is for customers: it is no rule where the business itself has to move an appointment
    (`needs_notice`)."""

    business: Business
    service: Service
    staff: StaffMember | None
    start: datetime
    now: datetime
    without: Exclusions = NO_EXCLUSIONS
    needs_notice: bool = True
    party_size: int = 1

    def rules(self) -> BookingRules:
        rules = booking_rules(self.service, self.business, self.now, party_size=self.party_size)
        return rules if self.needs_notice else replace(rules, earliest=rules.now)


@dataclass(frozen=True, slots=True)
class ReservedSlot:
    """A slot whose member of staff, if it needs one, and resources are locked until the transaction ends.

    `resource_busy` are the blocked ranges of resources that are not blocked as the appointment is.
    """

    staff: StaffMember | None
    start_time: datetime
    end_time: datetime
    busy_start: datetime
    busy_end: datetime
    party_size: int
    resource_ids: tuple[int, ...]
    resource_busy: Mapping[int, tuple[datetime, datetime]] = field(default_factory=dict)


def reserve_slot(request: BookingRequest, write: Callable[[ReservedSlot], T]) -> T:
    """Checks all rules and calls `write`, in one transaction that locks the member of staff.

    Without a requested member of staff it chooses, of those who are free, the one with the fewest
    appointments that day; tie: the lowest id. A class that has begun to fill is filled first. It
    fails only if none is free. A service that needs no staff has none, and locks its resources alone.

    Raises SlotUnavailable, OutsideWorkingHours, InThePast, TooSoon, TooFarAhead, StaffNotQualified,
    PartyTooLarge, Inactive, Unavailable.
    """
    reject_inactive(request.service, request.staff)
    reject_large_party(request.service, request.party_size)
    if not request.service.needs_staff:
        reject_needless(request.service, request.staff)
        # Most of many parallel requests for one time end here, without waiting for a lock.
        _enforce_rules(request, None)
        return _reserve_under_lock(request, [], write)
    if request.staff is not None:
        _reject_if_overlapping(request, request.staff)
        return _reserve_under_lock(request, [request.staff.pk], write)
    for _ in range(_MAX_ATTEMPTS):
        people = free_staff(request)
        one_by_one = [[staff_id] for staff_id in people]
        # First anyone whose row is not locked, so that parallel requests for one time spread over
        # the free staff and do not all queue for the first of them. Then one by one, waiting. Those
        # who want one class do queue: each further member of staff would begin another class.
        spread = len(people) > 1 and not request.service.is_class
        for candidates in [people, *one_by_one] if spread else one_by_one:
            try:
                return _reserve_under_lock(request, candidates, write)
            except (SlotUnavailable, OutsideWorkingHours, StaffNotQualified, Inactive):
                continue  # no longer free; the next one may be
    raise SlotUnavailable


def reject_inactive(service: Service, staff: StaffMember | None) -> None:
    """Raises Inactive."""
    if not service.is_active:
        raise Inactive(errors={"service_id": [f"{service.name} can no longer be booked."]})
    if staff is not None and not staff.is_active:
        raise Inactive(errors={"staff_id": [f"{staff.name} takes no appointments."]})


def reject_needless(service: Service, staff: StaffMember | None) -> None:
    """Raises StaffNotQualified for a member of staff where the service needs none."""
    if staff is not None and not service.needs_staff:
        raise not_qualified(service, staff)


def reject_unqualified(service: Service, staff: StaffMember) -> None:
    """Raises StaffNotQualified."""
    reject_needless(service, staff)
    if not staff.services.filter(pk=service.pk).exists():
        raise not_qualified(service, staff)


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Translates a violation of NO_OVERLAP or NO_RESOURCE_OVERLAP into SlotUnavailable, and a lock
    timeout, a deadlock or a lost connection into Unavailable."""
    try:
        yield
    except IntegrityError as error:
        if NO_OVERLAP.is_broken_by(error) or NO_RESOURCE_OVERLAP.is_broken_by(error):
            raise SlotUnavailable from error
        raise
    except OperationalError as error:
        raise Unavailable(retry_after=1) from error


def _reserve_under_lock(
    request: BookingRequest, people: list[int], write: Callable[[ReservedSlot], T]
) -> T:
    """Reserves with one of `people`; none where the service needs no staff. A single one is waited for;
    of several the first is chosen that no other transaction has locked. Resources likewise:
    `resource_locks`."""
    service, blocked = request.service, _blocked_range(request)
    moved = request.without.appointment
    *quick, last = resource_locks(service, request.party_size, *blocked, moved)
    of_one: tuple[type[DomainError], ...] = (SlotUnavailable, PartyTooLarge)
    if not service.needs_staff:
        of_one = (*of_one, OutsideWorkingHours)  # the hours are those of the resource
    for locks in quick:
        with suppress(*of_one):
            return _attempt(request, people, write, locks)
    return _attempt(request, people, write, last)


def _attempt(
    request: BookingRequest,
    people: list[int],
    write: Callable[[ReservedSlot], T],
    locks: ResourceLock | None,
) -> T:
    with translate_database_errors(), write_transaction(assigns_xid=bool(people)):
        # Bookings of one person queue for this lock, and so do changes of their hours. An error
        # rolls the transaction back, which releases it.
        staff = _lock_staff(request, people) if people else None
        if staff is None:
            lock_without_staff(request.service)
        if request.service.daily_cap is not None:
            lock_capped_day(request.service.pk, _local_day(request))
        resource_ids = _enforce_rules(request, staff, locks)
        return write(reserved_slot(request, staff, resource_ids))


def _lock_staff(request: BookingRequest, people: list[int]) -> StaffMember:
    staff = (
        _lock_staff_member(request, people[0])
        if len(people) == 1
        else _lock_first_free(request, people)
    )
    reject_inactive(request.service, staff)
    if not staff.offers:  # type: ignore[attr-defined]
        raise not_qualified(request.service, staff)
    return staff


def _lock_staff_member(request: BookingRequest, staff_id: int) -> StaffMember:
    staff: StaffMember | None = LOCKED_STAFF.first(
        business_id=request.business.pk, staff_id=staff_id, service_id=request.service.pk
    )
    if staff is None:
        raise NotFound
    return staff


def _lock_first_free(request: BookingRequest, people: list[int]) -> StaffMember:
    """The first of `people` without an overlapping appointment whose row is not locked. Raises
    SlotUnavailable."""
    staff: StaffMember | None = FIRST_FREE_STAFF.first(
        business_id=request.business.pk,
        people=tuple(people),
        service_id=request.service.pk,
        **_busy_range(request),
    )
    if staff is None:
        raise SlotUnavailable
    return staff


def _enforce_rules(
    request: BookingRequest, staff: StaffMember | None, locks: ResourceLock | None = None
) -> tuple[int, ...]:
    """Raises the first rule that the request violates, by the same function as slots. Returns the ids
    of the resources to be reserved."""
    rules, start = request.rules(), int(request.start.timestamp())
    key = key_of(staff)
    loader, day = _availability_of(request, [key])
    bounds = loader.days.bounds(day)
    calendar = loader.calendars(day, day, rules, request.without)[key]
    capacity = load_capacity(loader, request.service, rules, bounds, request.without, locks=locks)
    capacity.reject_missing_kind(rules)
    starts = capacity.starts_of(calendar, key, rules, bounds)
    reason = reason_at(starts, rules, start)
    if reason is not None:
        raise error_for(reason, request)
    return capacity.resources_at(start, key, starts)


def free_staff(request: BookingRequest) -> list[int]:
    """Ids of the staff who are free, those with the fewest appointments that day first. Where none
    is, raises the error of the one who is closest to being bookable, see `reserve_slot`."""
    people = [person.pk for person in staff_offering(request.service)]
    if not people:
        raise StaffNotQualified("No active member of staff offers this service.")
    rules, start = request.rules(), int(request.start.timestamp())
    loader, day = _availability_of(request, people)
    bounds = loader.days.bounds(day)
    busy = loader.busy_time(day, day, rules, request.without)
    calendars = loader.hours(day, day)
    loader.fill(calendars, busy)
    capacity = load_capacity(loader, request.service, rules, bounds, request.without)
    capacity.reject_missing_kind(rules)
    everyone = {pk: capacity.starts_of(calendars[pk], pk, rules, bounds) for pk in people}
    free = [pk for pk in people if is_bookable(everyone[pk], start)]
    if not free:
        reasons = [reason_at(starts, rules, start) for starts in everyone.values()]
        raise error_for(least_severe([reason for reason in reasons if reason]), request)

    def order(pk: int) -> tuple[bool, int, int]:
        that_day = sum(bounds[0] <= begin < bounds[1] for begin in set(busy[pk].starts))
        return start not in everyone[pk].seats, that_day, pk

    return sorted(free, key=order)


def _availability_of(
    request: BookingRequest, people: Sequence[StaffKey]
) -> tuple[AvailabilityLoader, date]:
    day = _local_day(request)
    return AvailabilityLoader(request.business, people, day, day), day


def _local_day(request: BookingRequest) -> date:
    return request.start.astimezone(request.business.zone).date()


def _reject_if_overlapping(request: BookingRequest, staff: StaffMember) -> None:
    """Checks for an overlap before locking. It decides nothing, but most of many parallel requests
    for one time end here, without queueing for the lock."""
    if BUSY_RANGES.rows(business_id=request.business.pk, staff_id=staff.pk, **_busy_range(request)):
        # Another rule may come first: `_enforce_rules` alone chooses the error.
        reject_unqualified(request.service, staff)
        _enforce_rules(request, staff)


def _busy_range(request: BookingRequest) -> dict[str, Any]:
    start, end = _blocked_range(request)
    return {
        "start": start,
        "at_least": start - LONGEST_BUSY,
        "end": end,
        "appointment": request.without.appointment,
    }


def reserved_slot(
    request: BookingRequest, staff: StaffMember | None, resource_ids: tuple[int, ...]
) -> ReservedSlot:
    end = request.start + timedelta(minutes=request.service.duration_minutes)
    blocked = _blocked_range(request)
    return ReservedSlot(staff, request.start, end, *blocked, request.party_size, resource_ids)


def _blocked_range(request: BookingRequest) -> tuple[datetime, datetime]:
    """[busy_start, busy_end): the requested time with the service's buffers."""
    service = request.service
    after = service.duration_minutes + service.buffer_after_minutes
    return (
        request.start - timedelta(minutes=service.buffer_before_minutes),
        request.start + timedelta(minutes=after),
    )


def error_for(reason: UnavailabilityReason, request: BookingRequest) -> DomainError:
    local = request.start.astimezone(request.business.zone)
    when = f"{local:%Y-%m-%d %H:%M} ({request.business.timezone})"
    notice = request.service.notice_for(request.business)
    horizon = request.service.horizon_for(request.business)
    kinds: dict[UnavailabilityReason, tuple[type[DomainError], str]] = {
        UnavailabilityReason.FULLY_BOOKED: (
            SlotUnavailable,
            f"{when} is not free. Ask for slots again.",
        ),
        UnavailabilityReason.CLOSED: (
            OutsideWorkingHours,
            f"{when} is outside working hours, or ends there.",
        ),
        UnavailabilityReason.HOLIDAY: (OutsideWorkingHours, f"The business is closed at {when}."),
        UnavailabilityReason.TIME_OFF: (OutsideWorkingHours, f"{when} falls into time off."),
        UnavailabilityReason.PAST: (InThePast, f"{when} is in the past."),
        UnavailabilityReason.TOO_SOON: (
            TooSoon,
            f"{when} is too soon: book at least {notice // timedelta(minutes=1)} minutes ahead.",
        ),
        UnavailabilityReason.BEYOND_HORIZON: (
            TooFarAhead,
            f"{when} is too far ahead: book at most {horizon.days} days ahead.",
        ),
    }
    kind, message = kinds[reason]
    return kind(message, errors={"start_time": [message]}, meta={"reason": reason.value})


def not_qualified(service: Service, staff: StaffMember) -> StaffNotQualified:
    message = f"{staff.name} does not offer {service.name}."
    if not service.needs_staff:
        message = f"{service.name} needs no member of staff. Leave staff_id out."
    return StaffNotQualified(message, errors={"staff_id": [message]})
