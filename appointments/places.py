"""May this be booked, and with whom? Every way to a time (book, hold, move) comes through
`take_place`, which runs the rules under the lock of the member of staff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

from django.db import IntegrityError, OperationalError
from django.db.models import Case, Exists, OuterRef, QuerySet, When

from appointments.availability import Reason, is_bookable, refusal_at, starts_of
from appointments.models import LONGEST_BUSY, NO_OVERLAP, Appointment, AppointmentQuerySet
from appointments.roster import NOTHING, Except, Roster, terms_of
from appointments.slots import people_for
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import write_transaction
from kaivox.errors import Conflict, DomainError, Invalid, NotFound, Unavailable
from services.models import Service
from staff.models import StaffMember, StaffQuerySet

T = TypeVar("T")

# Someone else may take each free person while we ask for their lock; then we look again.
_ROUNDS: Final = 3


class SlotUnavailable(Conflict):
    code = "slot_unavailable"
    message = "This time is taken. Ask for slots again."


class OutsideWorkingHours(Invalid):
    code = "outside_working_hours"
    message = "This time is outside working hours."


class InThePast(Invalid):
    code = "in_the_past"
    message = "This time is past."


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
class Wish:
    """A time that somebody wants; `staff` None: with anyone. `without`: what does not stand in its
    way."""

    business: Business
    service: Service
    staff: StaffMember | None
    start: datetime
    now: datetime
    without: Except = NOTHING


@dataclass(frozen=True, slots=True)
class Place:
    """A time with a member of staff, whose lock we hold."""

    staff: StaffMember
    start_time: datetime
    end_time: datetime
    busy_start: datetime
    busy_end: datetime


def take_place(wish: Wish, write: Callable[[Place], T]) -> T:
    """Runs `write` in one transaction with the lock of the member of staff, all rules checked.

    Without a wish for one person: of the free people who offer the service, the one with the fewest
    appointments that day; tie: the lowest id. There is no refusal while anyone is free.

    Raises SlotUnavailable, OutsideWorkingHours, InThePast, TooSoon, TooFarAhead, StaffNotQualified,
    Inactive, Unavailable.
    """
    refuse_inactive(wish.service, wish.staff)
    if wish.staff is not None:
        _refuse_if_taken(wish, wish.staff)
        return _take(wish, [wish.staff.pk], write)
    for _ in range(_ROUNDS):
        people = _free_people(wish)
        turns = [[staff_id] for staff_id in people]
        # First whoever nobody else is booking: a crowd that wants one time spreads over those who
        # are free, where it would queue at the first of them. Then each in turn, waiting.
        for some in [people, *turns] if len(people) > 1 else turns:
            try:
                return _take(wish, some, write)
            except (SlotUnavailable, OutsideWorkingHours, StaffNotQualified, Inactive):
                continue  # no longer free; the next one may be
    raise SlotUnavailable


def refuse_inactive(service: Service, staff: StaffMember | None) -> None:
    """Raises Inactive."""
    if not service.is_active:
        raise Inactive(errors={"service_id": [f"{service.name} can no longer be booked."]})
    if staff is not None and not staff.is_active:
        raise Inactive(errors={"staff_id": [f"{staff.name} takes no appointments."]})


def refuse_unqualified(service: Service, staff: StaffMember) -> None:
    """Raises StaffNotQualified."""
    if not staff.services.filter(pk=service.pk).exists():
        raise _not_qualified(service, staff)


@contextmanager
def refusals_of_the_database() -> Iterator[None]:
    """The constraint's last word as SlotUnavailable; a lock that stays taken as Unavailable."""
    try:
        yield
    except IntegrityError as error:
        if NO_OVERLAP.is_broken_by(error):
            raise SlotUnavailable from error
        raise
    except OperationalError as error:
        raise Unavailable(retry_after=1) from error


def _take(wish: Wish, people: list[int], write: Callable[[Place], T]) -> T:
    """With one of `people`, waiting for their lock; of several with the first whose lock is free."""
    with refusals_of_the_database(), write_transaction(locks_first=True):
        # Locks the member of staff: two bookings for one person queue here, and so do changes of
        # their hours. A refusal leaves the transaction, and that lets the lock go.
        staff = _lock_staff(wish, people)
        _refuse_by_rules(wish, staff)
        return write(_place(wish, staff))


def _lock_staff(wish: Wish, people: list[int]) -> StaffMember:
    staff = _lock_one(wish, people[0]) if len(people) == 1 else _lock_first(wish, people)
    refuse_inactive(wish.service, staff)
    if not staff.offers:  # type: ignore[attr-defined]
        raise _not_qualified(wish.service, staff)
    return staff


def _lock_one(wish: Wish, staff_id: int) -> StaffMember:
    staff: StaffMember | None = _LOCKED.first(
        business_id=wish.business.pk, staff_id=staff_id, service_id=wish.service.pk
    )
    if staff is None:
        raise NotFound
    return staff


def _lock_first(wish: Wish, people: list[int]) -> StaffMember:
    """The first of `people` who seems free and whose lock nobody has. Raises SlotUnavailable."""
    staff: StaffMember | None = _FIRST.first(
        business_id=wish.business.pk,
        people=tuple(people),
        service_id=wish.service.pk,
        **_busy_range(wish),
    )
    if staff is None:
        raise SlotUnavailable
    return staff


def _locked(business_id: int, staff_id: int, service_id: int) -> QuerySet[Any]:
    return _with_offers(business_id, service_id).filter(pk=staff_id).locked()


def _first(
    business_id: int, people: tuple[int, ...], service_id: int, **busy: Any
) -> QuerySet[Any]:
    turn = Case(*(When(pk=staff_id, then=place) for place, staff_id in enumerate(people)))
    taken = _taken(business_id, **busy).filter(staff_id=OuterRef("pk"))
    rows = _with_offers(business_id, service_id).filter(~Exists(taken), pk__in=people)
    return rows.order_by(turn).locked(wait=False)[:1]


def _with_offers(business_id: int, service_id: int) -> StaffQuerySet:
    """Members of staff, and whether they offer the service."""
    offers = StaffMember.services.through.objects.filter(
        staffmember_id=OuterRef("pk"), service_id=service_id
    )
    return StaffMember.objects.for_business(business_id).annotate(offers=Exists(offers))


_LOCKED: Final = Prepared(_locked)
_FIRST: Final = Prepared(_first)


def _refuse_by_rules(wish: Wish, staff: StaffMember) -> None:
    """Raises what stands against the wish. The same function as for slots, on this one person."""
    terms = terms_of(wish.service, wish.business, wish.now)
    start = int(wish.start.timestamp())
    roster, day = _roster_of(wish, [staff.pk])
    agenda = roster.agendas(day, day, terms, wish.without)[staff.pk]
    reason = refusal_at(starts_of(agenda, terms, roster.days.bounds(day)), terms, start)
    if reason is not None:
        raise _refusal(reason, wish)


def _free_people(wish: Wish) -> list[int]:
    """Ids of those who are free, the fairest pick first. Raises what stands against everyone."""
    people = [person.pk for person in people_for(wish.service)]
    if not people:
        raise StaffNotQualified("Nobody offers this service.")
    terms = terms_of(wish.service, wish.business, wish.now)
    start = int(wish.start.timestamp())
    roster, day = _roster_of(wish, people)
    bounds = roster.days.bounds(day)
    taken = roster.taken(day, day, terms, wish.without)
    agendas = roster.hours(day, day)
    roster.fill(agendas, taken)
    everyone = {pk: starts_of(agendas[pk], terms, bounds) for pk in people}
    free = [pk for pk in people if is_bookable(everyone[pk], start)]
    if not free:
        reasons = [refusal_at(starts, terms, start) for starts in everyone.values()]
        raise _refusal(_mildest([reason for reason in reasons if reason]), wish)

    def appointments_that_day(pk: int) -> int:
        return sum(bounds[0] <= begin < bounds[1] for begin in taken[pk].starts)

    return sorted(free, key=lambda pk: (appointments_that_day(pk), pk))


def _roster_of(wish: Wish, people: list[int]) -> tuple[Roster, date]:
    day = wish.start.astimezone(wish.business.zone).date()
    return Roster(wish.business, people, day, day), day


def _refuse_if_taken(wish: Wish, staff: StaffMember) -> None:
    """A cheap look before the lock: of five hundred who want one time, nearly all end here."""
    if _TAKEN.rows(business_id=wish.business.pk, staff_id=staff.pk, **_busy_range(wish)):
        # Which of the rules comes first is told by the same function as ever.
        refuse_unqualified(wish.service, staff)
        _refuse_by_rules(wish, staff)


def _taken_of(business_id: int, staff_id: int, **busy: Any) -> QuerySet[Any]:
    return _taken(business_id, **busy).of_staff(staff_id).values_list("pk")[:1]


def _taken(
    business_id: int, start: datetime, at_least: datetime, end: datetime, appointment: int | None
) -> AppointmentQuerySet:
    """The appointments in the way of a blocked range [start, end), whoever's."""
    rows = Appointment.objects.for_business(business_id).standing()
    rows = rows.overlapping(start, end, at_least=at_least)
    return rows if appointment is None else rows.exclude(pk=appointment)


def _busy_range(wish: Wish) -> dict[str, Any]:
    start, end = _blocked(wish)
    return {
        "start": start,
        "at_least": start - LONGEST_BUSY,
        "end": end,
        "appointment": wish.without.appointment,
    }


_TAKEN: Final = Prepared(_taken_of)


def _place(wish: Wish, staff: StaffMember) -> Place:
    end = wish.start + timedelta(minutes=wish.service.duration_minutes)
    return Place(staff, wish.start, end, *_blocked(wish))


def _blocked(wish: Wish) -> tuple[datetime, datetime]:
    """[busy_start, busy_end) of the wish: its time with the service's buffers."""
    service = wish.service
    after = service.duration_minutes + service.buffer_after_minutes
    return (
        wish.start - timedelta(minutes=service.buffer_before_minutes),
        wish.start + timedelta(minutes=after),
    )


# The nearest to a yes comes last: of several people's reasons that one is told.
_MILDEST: Final = (
    Reason.CLOSED,
    Reason.HOLIDAY,
    Reason.TIME_OFF,
    Reason.BEYOND_HORIZON,
    Reason.TOO_SOON,
    Reason.PAST,
    Reason.FULLY_BOOKED,
)


def _mildest(reasons: list[Reason]) -> Reason:
    return max(reasons, key=_MILDEST.index)


def _refusal(reason: Reason, wish: Wish) -> DomainError:
    local = wish.start.astimezone(wish.business.zone)
    when = f"{local:%Y-%m-%d %H:%M}"
    kinds: dict[Reason, tuple[type[DomainError], str]] = {
        Reason.FULLY_BOOKED: (SlotUnavailable, f"{when} is taken. Ask for slots again."),
        Reason.CLOSED: (OutsideWorkingHours, f"{when} is outside working hours, or ends there."),
        Reason.HOLIDAY: (OutsideWorkingHours, f"The business is closed at {when}."),
        Reason.TIME_OFF: (OutsideWorkingHours, f"{when} falls into time off."),
        Reason.PAST: (InThePast, f"{when} is past."),
        Reason.TOO_SOON: (
            TooSoon,
            f"Book at least {wish.business.minimum_notice_minutes} minutes ahead.",
        ),
        Reason.BEYOND_HORIZON: (
            TooFarAhead,
            f"Book at most {wish.business.horizon_days} days ahead.",
        ),
    }
    kind, message = kinds[reason]
    return kind(message, errors={"start_time": [message]}, meta={"reason": reason.value})


def _not_qualified(service: Service, staff: StaffMember) -> StaffNotQualified:
    message = f"{staff.name} does not offer {service.name}."
    return StaffNotQualified(message, errors={"staff_id": [message]})
