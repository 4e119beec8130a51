"""Plans a series: which appointments its rule gives, and which of them cannot be booked.

Reads only; `appointments.series.operations` books what is planned here.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from appointments.availability import UnavailabilityReason
from appointments.loaded_availability import (
    LoadedAvailability,
    PartyService,
    PlannedStart,
    days_to_read,
)
from appointments.models import Appointment
from appointments.reservations import (
    BookingRequest,
    StaffNotQualified,
    error_for,
    reject_inactive,
    reject_unqualified,
)
from appointments.series.recurrence import MAX_OCCURRENCES, Recurrence, dates_of
from appointments.slots import Slot, key_of, performers
from appointments.wall_time import NonexistentLocalTime, start_at
from kaivox.businesses.models import Business
from kaivox.errors import Conflict, Invalid
from services.models import Service
from staff.models import StaffMember


class DateProblem(StrEnum):
    """Why an appointment of a series has no start at all."""

    NO_SUCH_DAY = "no_such_day"
    NONEXISTENT_LOCAL_TIME = "nonexistent_local_time"


CLASH_REASONS: Final = (*(one.value for one in UnavailabilityReason), *DateProblem)


@dataclass(frozen=True, slots=True)
class Clash:
    """Why an appointment cannot be booked, and the next slots that can. `near` is where those are searched
    if the appointment has no start."""

    reason: str
    message: str
    alternatives: Sequence[Slot] = ()
    near: datetime | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One appointment of a plan. `number` counts from 1, those that are left out included; `start` is
    None where the local time does not exist. `moved` is the appointment that would be moved there."""

    number: int
    wanted: PartyService
    staff: StaffMember | None
    start: datetime | None
    clash: Clash | None = None
    moved: Appointment | None = None
    resource_ids: tuple[int, ...] = ()

    @property
    def service(self) -> Service:
        return self.wanted.service

    @property
    def near(self) -> datetime | None:
        """Where alternatives are searched, if at all."""
        return self.start or (self.clash.near if self.clash else None)

    @property
    def end(self) -> datetime | None:
        return self.start and self.start + timedelta(minutes=self.service.duration_minutes)


class SeriesClashes(Conflict):
    """Some appointments cannot be booked, so none was. `clashes` are these."""

    code = "series_clashes"
    message = "Some appointments of this series cannot be booked, so none was."

    def __init__(self, occurrences: Sequence[Occurrence]) -> None:
        self.clashes = [one for one in occurrences if one.clash]
        super().__init__(
            f"{len(self.clashes)} of {len(occurrences)} appointments cannot be booked, so none was: "
            "see meta.clashes."
        )


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """A series to be booked. Its first appointment is at `start`, the others at the same local time.

    `exceptions` are what the caller decided on single appointments, by number: another start, or None
    to leave it out. Without `staff` one of those who offer the service is chosen for the whole series.
    """

    business: Business
    service: Service
    start: datetime
    rule: Recurrence
    now: datetime
    staff: StaffMember | None = None
    party_size: int = 1
    exceptions: Mapping[int, datetime | None] = field(default_factory=dict)

    @property
    def wanted(self) -> PartyService:
        return PartyService(self.service, self.party_size)


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """`count` is how many appointments the rule gives; `occurrences` are those that are not left out.
    Without staff where the service needs none."""

    staff: StaffMember | None
    count: int
    occurrences: Sequence[Occurrence]

    @property
    def clashes(self) -> list[Occurrence]:
        return [one for one in self.occurrences if one.clash]


@dataclass(frozen=True, slots=True)
class DatedStart:
    """A number of the series with its start, or with why it has none."""

    number: int
    start: datetime | None
    problem: Clash | None = None

    @property
    def near(self) -> datetime | None:
        """Where alternatives are searched, if at all."""
        return self.start or (self.problem.near if self.problem else None)


def plan_series(request: SeriesRequest, *, locks_resources: bool = False) -> SeriesPlan:
    """Every appointment of the series, those with a clash included. Three queries, whatever the number
    of appointments and staff.

    Without a requested member of staff it is the one with the fewest clashes; tie: with the fewest
    appointments on those days; tie: the lowest id.

    Raises Invalid for a rule that gives no appointment or too many, InThePast, StaffNotQualified,
    PartyTooLarge and Inactive.
    """
    reject_inactive(request.service, request.staff)
    dated, count = _dated(request)
    if request.staff is not None:
        reject_unqualified(request.service, request.staff)
    people = performers(request.service, request.staff)
    if not people:
        raise StaffNotQualified("No active member of staff offers this service.")
    availability = LoadedAvailability(
        request.business,
        [request.wanted],
        [key_of(one) for one in people],
        *days_to_read(
            request.business,
            [request.service],
            [one.near for one in dated if one.near],
            request.now,
        ),
        now=request.now,
        locks_resources=locks_resources,
    )
    staff = _best(people, request.wanted, dated, availability)
    occurrences = [
        Occurrence(one.number, request.wanted, staff, one.start, one.problem) for one in dated
    ]
    return SeriesPlan(
        staff, count, with_clashes(occurrences, availability, request.business, request.now)
    )


def with_clashes(
    occurrences: Sequence[Occurrence],
    availability: LoadedAvailability,
    business: Business,
    now: datetime,
) -> list[Occurrence]:
    """`occurrences`, each that cannot be booked with its clash."""
    dated = [one for one in occurrences if one.start]
    planned = [_planned(one) for one in dated]
    reasons = availability.reasons(planned)
    by_number = dict(zip((one.number for one in dated), reasons, strict=True))
    booked = [one for one, reason in zip(planned, reasons, strict=True) if reason is None]
    found = []
    for one in occurrences:
        reason, clash = by_number.get(one.number), one.clash
        if one.start is not None and reason is None:
            reserved = availability.resources_at(one.wanted, key_of(one.staff), one.start)
            found.append(replace(one, resource_ids=reserved))
            continue
        if one.start is not None and reason is not None:
            request = BookingRequest(business, one.service, one.staff, one.start, now)
            clash = Clash(reason.value, error_for(reason, request).message)
        if clash is not None and one.near is not None:
            slots = _next_slots(one, one.near, availability, booked)
            clash = replace(clash, alternatives=slots)
        found.append(replace(one, clash=clash))
    return found


def _next_slots(
    one: Occurrence,
    near: datetime,
    availability: LoadedAvailability,
    booked: Sequence[PlannedStart],
) -> list[Slot]:
    begins = availability.next_starts(one.wanted, key_of(one.staff), int(near.timestamp()), booked)
    lasts = one.service.duration_minutes * 60
    staff = [one.staff] if one.staff else []
    return [Slot(start, start + lasts, staff) for start in begins]


def _planned(one: Occurrence) -> PlannedStart:
    assert one.start is not None  # noqa: S101 - for mypy: the caller has left out the others
    return PlannedStart(one.wanted, key_of(one.staff), int(one.start.timestamp()))


def _best(
    people: Sequence[StaffMember | None],
    wanted: PartyService,
    dated: Sequence[DatedStart],
    availability: LoadedAvailability,
) -> StaffMember | None:
    if len(people) == 1:
        return people[0]
    starts = [int(one.start.timestamp()) for one in dated if one.start]
    days = {availability.day_of(start) for start in starts}

    def rank(person: StaffMember | None) -> tuple[int, int, int]:
        key = key_of(person)
        reasons = availability.reasons(PlannedStart(wanted, key, one) for one in starts)
        clashes = len(reasons) - reasons.count(None)
        return clashes, availability.appointments_on(wanted.service, key, days), key or 0

    return min(people, key=rank)


def _dated(request: SeriesRequest) -> tuple[list[DatedStart], int]:
    """The appointments that are not left out, and how many there are with those."""
    zone = request.business.zone
    local = request.start.astimezone(zone)
    _reject_out_of_range(request, local.date())
    dates = _dates(request.rule, local.date())
    unknown = [number for number in request.exceptions if not 1 <= number <= len(dates)]
    if unknown:
        message = f"There is no appointment {unknown[0]}: the rule gives {len(dates)}."
        raise Invalid(errors={"exceptions": [message]})
    found = list(_starts(request, dates, f"{local:%H:%M}"))
    if not found:
        raise Invalid(errors={"exceptions": ["They leave out every appointment."]})
    return found, len(dates)


def _reject_out_of_range(request: SeriesRequest, first: date) -> None:
    """A first appointment in the past or beyond the horizon is a mistake in the whole series, not a
    clash. Raises InThePast, TooFarAhead."""
    today = request.now.astimezone(request.business.zone).date()
    horizon = today + request.service.horizon_for(request.business)
    single = BookingRequest(
        request.business, request.service, request.staff, request.start, request.now
    )
    if request.start < request.now:
        raise error_for(UnavailabilityReason.PAST, single)
    if first > horizon:
        raise error_for(UnavailabilityReason.BEYOND_HORIZON, single)


def _dates(rule: Recurrence, first: date) -> list[date | None]:
    if rule.weekdays and first.weekday() not in rule.weekdays:
        message = f"The first appointment is on weekday {first.weekday()}: include it."
        raise Invalid(errors={"weekdays": [message]})
    dates = dates_of(rule, first)
    if not dates:
        raise Invalid(errors={"until": ["It is before the first appointment."]})
    if len(dates) > MAX_OCCURRENCES:
        message = f"These are more than {MAX_OCCURRENCES} appointments, the most of one series."
        raise Invalid(errors={"until": [message]})
    return dates


def _starts(
    request: SeriesRequest, dates: Sequence[date | None], clock: str
) -> Iterator[DatedStart]:
    for number, day in enumerate(dates, 1):
        if number in request.exceptions:
            start = request.exceptions[number]
            if start is not None:
                yield DatedStart(number, start)
        elif number == 1:
            yield DatedStart(number, request.start)  # its local time may occur twice
        elif day is None:
            yield DatedStart(number, None, _no_such_day(request, number, clock))
        else:
            yield at_wall_time(request.business, number, day, clock)


def at_wall_time(business: Business, number: int, day: date, clock: str) -> DatedStart:
    """The appointment on `day` at `clock` (`HH:MM`), with a clash where the clocks skip that time."""
    try:
        return DatedStart(number, start_at(day, clock, business.zone))
    except NonexistentLocalTime as error:
        reason = DateProblem.NONEXISTENT_LOCAL_TIME.value
        return DatedStart(number, None, Clash(reason, error.message, near=error.changed_at))


def _no_such_day(request: SeriesRequest, number: int, clock: str) -> Clash:
    """Alternatives are searched from the last day of the month, at the time of the series."""
    first = request.start.astimezone(request.business.zone)
    month = first.month - 1 + (number - 1) * request.rule.interval
    year, month = first.year + month // 12, month % 12 + 1
    last = date(year, month, monthrange(year, month)[1])
    return Clash(
        DateProblem.NO_SUCH_DAY.value,
        f"{last:%B %Y} has no day {first.day}.",
        near=at_wall_time(request.business, number, last, clock).near,
    )
