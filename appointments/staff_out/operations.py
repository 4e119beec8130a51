"""Takes a member of staff out for a period, and says for each appointment in it what becomes of it.

Everything happens in one transaction: time off, reassignments, moves, cancellations, each with its
event. A preview is the same transaction, rolled back, so it cannot differ from what would happen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from appointments.availability_queries import Exclusions
from appointments.capacity_queries import PartyTooLarge
from appointments.groups.operations import lock_appointments, lock_days_and_resources
from appointments.models import LONGEST_BUSY, Appointment, AppointmentQuerySet, AppointmentStatus
from appointments.operations import cancel_appointment, reschedule_appointment
from appointments.reservations import (
    BookingRequest,
    Inactive,
    InThePast,
    OutsideWorkingHours,
    SlotUnavailable,
    StaffNotQualified,
    TooFarAhead,
    free_staff,
    translate_database_errors,
)
from appointments.slots import Slot, coming_slots
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.db.transactions import write_transaction
from kaivox.errors import DomainError, Invalid, NotFound
from services.models import Service
from staff.intervals import Range
from staff.models import StaffMember
from staff.operations import add_time_off

MAX_APPOINTMENTS: Final = 100
MAX_ALTERNATIVES: Final = 3

# Why an appointment finds no colleague.
_NOBODY: Final = (
    SlotUnavailable,
    OutsideWorkingHours,
    InThePast,
    TooFarAhead,
    StaffNotQualified,
    PartyTooLarge,
    Inactive,
)


class Action(StrEnum):
    """What becomes of an appointment. REASSIGN: a colleague takes it over at the same time; MOVE: to
    another time; LEAVE: it stays with the person who is out."""

    REASSIGN = "reassign"
    MOVE = "move"
    CANCEL = "cancel"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with an appointment. Without `staff` anyone who is free; `start` only of a MOVE."""

    action: Action
    staff: StaffMember | None = None
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an appointment. `alternatives` are new times for one that is left."""

    appointment: Appointment
    action: Action
    alternatives: Sequence[Slot] = ()


_REASSIGN: Final = Choice(Action.REASSIGN)


class _Preview(Exception):
    """Rolls a preview back."""


def take_staff_out(
    *,
    business: Business,
    staff_id: int,
    start: datetime,
    end: datetime,
    reason: str = "",
    choices: Mapping[int, Choice] | None = None,
    dry_run: bool = False,
    now: datetime,
) -> list[Outcome]:
    """Adds time off from `start` to `end`, and deals with the scheduled appointments in it that have not
    begun, by start.

    `choices` are by appointment. Of the others each is reassigned to a colleague who offers the service
    and is free, the one with the fewest appointments that day, or left where there is none. The
    minimum notice and the windows for changes are no rules here. With `dry_run` the outcomes are
    computed and nothing is changed.

    Raises NotFound, ImpossibleHours; Invalid where `end` is past, there are more than MAX_APPOINTMENTS
    or a choice is not of one of them; and what `reschedule_appointment` and `cancel_appointment` raise
    for a choice. Nothing is changed then.
    """
    if end <= now:
        raise Invalid(errors={"end_time": ["This time is in the past."]})
    outcomes: list[Outcome] = []
    chosen = choices or {}
    with suppress(_Preview), translate_database_errors(), write_transaction():
        everyone = _lock_everyone(business)
        staff = StaffMember.objects.for_business(business).filter(pk=staff_id).first()
        if staff is None:
            raise NotFound
        appointments = _lock_appointments(business, _to_come(staff, start, end, now), chosen)
        _reject_unknown(chosen, appointments)
        add_time_off(staff=staff, start=start, end=end, reason=reason)
        done = [_apply(one, chosen.get(one.pk), everyone, now) for one in appointments]
        # Once everyone else has their times.
        outcomes = list(map(_Alternatives(business, now).add_to, done))
        if dry_run:
            raise _Preview
    return outcomes


def _lock_everyone(business: Business) -> set[int]:
    # Locks all staff, by id: reassignments lock colleagues in any order, and two people who go out at
    # once would wait for each other.
    rows = StaffMember.objects.for_business(business).order_by("pk").locked()
    return set(rows.values_list("pk", flat=True))


def _to_come(
    staff: StaffMember, start: datetime, end: datetime, now: datetime
) -> AppointmentQuerySet:
    rows: AppointmentQuerySet = (
        Appointment.objects.for_business(staff.business_id)
        .for_staff(staff.pk)
        .filter(status=AppointmentStatus.SCHEDULED)
        # No appointment is longer than LONGEST_BUSY: bounds the scan of the index on the start.
        .starting_between(max(now, start - LONGEST_BUSY), end)
        .filter(end_time__gt=start)
    )
    return rows


def _lock_appointments(
    business: Business, rows: AppointmentQuerySet, choices: Mapping[int, Choice]
) -> list[Appointment]:
    """`rows`, by start, locked with all that their moves lock, in the order of all operations: the move
    of one appointment would otherwise wait for a day or a resource while others are locked."""
    found = list(rows.with_related().order_by("start_time", "pk")[: MAX_APPOINTMENTS + 1])
    if len(found) > MAX_APPOINTMENTS:
        message = f"There are more than {MAX_APPOINTMENTS} appointments. Choose a shorter period."
        raise Invalid(message, errors={"end_time": [message]})
    moves = [(one, choices.get(one.pk, _REASSIGN)) for one in found]
    lock_days_and_resources(
        business,
        (
            (one.service, choice.start or one.start_time)
            for one, choice in moves
            if choice.action in (Action.REASSIGN, Action.MOVE)
        ),
    )
    # While the staff are locked none is added; one may have been cancelled.
    locked = lock_appointments(rows)
    # A reassignment changes nothing of the customer.
    customers = {
        one.customer_id for one, choice in moves if choice.action in (Action.MOVE, Action.CANCEL)
    }
    list(
        Customer.objects.filter(pk__in=customers)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    return locked


def _reject_unknown(choices: Iterable[int], appointments: Sequence[Appointment]) -> None:
    if unknown := set(choices) - {appointment.pk for appointment in appointments}:
        message = f"Appointment {min(unknown)} is not one of those to come in this period."
        raise Invalid(message, errors={"changes": [message]})


def _apply(
    appointment: Appointment, choice: Choice | None, everyone: Collection[int], now: datetime
) -> Outcome:
    if choice is None:
        try:
            moved = _move(appointment, _REASSIGN, everyone, now)
        except _NOBODY:
            return Outcome(appointment, Action.LEAVE)
        return Outcome(moved, Action.REASSIGN)
    if choice.action is Action.LEAVE:
        return Outcome(appointment, Action.LEAVE)
    try:
        if choice.action is Action.CANCEL:
            changed = cancel_appointment(
                business=appointment.business,
                appointment_id=appointment.pk,
                overrides_window=True,
                now=now,
            )
        else:
            changed = _move(appointment, choice, everyone, now)
    except DomainError as error:
        error.meta["appointment_id"] = appointment.pk
        raise
    return Outcome(changed, choice.action)


def _move(
    appointment: Appointment, choice: Choice, everyone: Collection[int], now: datetime
) -> Appointment:
    business = appointment.business
    start = choice.start or appointment.start_time
    staff = choice.staff
    if staff is None:
        # The person who is out is not free.
        request = BookingRequest(
            business,
            appointment.service,
            None,
            start,
            now,
            without=Exclusions(appointment=appointment.pk),
            needs_notice=False,
            party_size=appointment.party_size,
        )
        # Someone who was added since is not locked, and too late to be.
        free = [one for one in free_staff(request) if one in everyone]
        if not free:
            raise SlotUnavailable
        staff = StaffMember.objects.for_business(business).get(pk=free[0])
    return reschedule_appointment(
        business=business,
        appointment_id=appointment.pk,
        start=start,
        staff=staff,
        overrides_window=True,
        needs_notice=False,
        now=now,
    )


class _Alternatives:
    """New times for the appointments that are left. The staff of the first one of each are still free
    when the others move to theirs."""

    def __init__(self, business: Business, now: datetime) -> None:
        self.business, self.now = business, now
        self._found: dict[tuple[int, int], list[Slot]] = {}
        self._coming: dict[tuple[int, int], Iterator[Slot]] = {}
        self._proposed: defaultdict[int, list[Range]] = defaultdict(list)

    def add_to(self, outcome: Outcome) -> Outcome:
        """`outcome` with its alternatives; call it by start."""
        if outcome.action is not Action.LEAVE:
            return outcome
        slots = list(islice(self._free_slots(outcome.appointment), MAX_ALTERNATIVES))
        if slots:
            first = slots[0]
            proposed = self._proposed[first.staff[0].pk]
            proposed.append(_blocked_by(first, outcome.appointment.service))
        return replace(outcome, alternatives=slots)

    def _free_slots(self, appointment: Appointment) -> Iterator[Slot]:
        start = int(appointment.start_time.timestamp())
        for slot in self._slots_of(appointment):
            if slot.start < start:
                continue
            begin, end = _blocked_by(slot, appointment.service)
            people = [
                person
                for person in slot.staff
                if all(end <= first or last <= begin for first, last in self._proposed[person.pk])
            ]
            if people:
                yield replace(slot, staff=people)

    def _slots_of(self, appointment: Appointment) -> Iterator[Slot]:
        """The slots of its service for its party, from the first such appointment on, each computed
        once."""
        kind = (appointment.service_id, appointment.party_size)
        found = self._found.setdefault(kind, [])
        if kind not in self._coming:
            self._coming[kind] = coming_slots(
                business=self.business,
                service=appointment.service,
                start=appointment.start_time,
                party_size=appointment.party_size,
                now=self.now,
            )
        yield from found
        for slot in self._coming[kind]:
            found.append(slot)
            yield slot


def _blocked_by(slot: Slot, service: Service) -> Range:
    before, after = service.buffer_before_minutes * 60, service.buffer_after_minutes * 60
    return slot.start - before, slot.end + after
