"""Reads what availability needs from the database: working hours and busy time.

One query reads all hours and closures and one the busy time of a range of days, whatever the number
of people.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import (
    Aggregate,
    DateField,
    F,
    Func,
    QuerySet,
    SmallIntegerField,
    TextField,
    Value,
)
from django.db.models.functions import Cast

from appointments.availability import BookingRules, StaffCalendar
from appointments.daily_cap import full_days, starts_of_service
from appointments.models import LONGEST_BUSY, Appointment, Hold
from kaivox.businesses.models import Business
from kaivox.db.compiled_query import CompiledQuery
from services.models import Service
from staff.hours import (
    LONGEST_SHIFT,
    ClosedPeriod,
    Schedule,
    closed_ranges,
    grid_segments,
    overrides_by_date,
    weekly_hours,
    working_windows,
)
from staff.intervals import Range, merged
from staff.local_time import LocalDays
from staff.models import Break, CalendarBusyTime, Closure, DateOverride, TimeOff, WorkingHours

# Hours are computed for so many days around the requested ones, so that a window that begins before
# them is complete: the grid counts from its start.
HOURS_MARGIN: Final = LONGEST_SHIFT + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Ids of what does not block a time: the appointment that is moved, the hold that is used."""

    appointment: int | None = None
    hold: int | None = None


NO_EXCLUSIONS: Final = Exclusions()


# The id of a member of staff, or None: a service that needs none is booked with its resources alone.
StaffKey = int | None


@dataclass(slots=True)
class BusyTime:
    """The busy time of one member of staff, in Unix seconds. `busy` has the blocked ranges of
    appointments and holds, `starts` the starts of these appointments, `held` those of the holds.
    `full` has the days on which the service has reached its daily cap."""

    away: list[Range] = field(default_factory=list)
    busy: list[Range] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    full: list[Range] = field(default_factory=list)


class AvailabilityLoader:
    """Working hours and busy time of `staff_ids` within the local days `first` to `last`. The hours
    are read when it is created. Where None is among them, its calendar has closures and daily caps
    alone."""

    def __init__(
        self, business: Business, staff_ids: Collection[StaffKey], first: date, last: date
    ) -> None:
        self.business = business
        self._keys = list(staff_ids)
        self.staff_ids = [one for one in staff_ids if one is not None]
        self.days = LocalDays(business.zone)
        self._schedules, closures = _load_working_hours(
            business, self.staff_ids, first - HOURS_MARGIN, last + HOURS_MARGIN
        )
        self.closed = closed_ranges(closures, self.days)

    def hours(self, first: date, last: date) -> dict[StaffKey, StaffCalendar]:
        """Each person's hours and closures on the local days `first` to `last`; no query."""
        found: dict[StaffKey, StaffCalendar] = {}
        for staff_id in self._keys:
            if staff_id is None:
                found[None] = StaffCalendar((), closed=self.closed)
                continue
            windows = working_windows(
                self._schedules[staff_id], self.days, first - HOURS_MARGIN, last + HOURS_MARGIN
            )
            found[staff_id] = StaffCalendar(windows, grid_segments(windows, self.days), self.closed)
        return found

    def calendars(
        self, first: date, last: date, rules: BookingRules, without: Exclusions = NO_EXCLUSIONS
    ) -> dict[StaffKey, StaffCalendar]:
        """Each person's calendar for starts on the local days `first` to `last`; one query, and one
        more where the service has a daily cap."""
        calendars = self.hours(first, last)
        self.fill(calendars, self.busy_time(first, last, rules, without))
        return calendars

    def fill(
        self, calendars: dict[StaffKey, StaffCalendar], busy_time: dict[StaffKey, BusyTime]
    ) -> None:
        """Adds busy time to `calendars`."""
        cap = self.business.daily_cap_per_staff
        for staff_id, own in busy_time.items():
            calendar = calendars[staff_id]
            calendar.away, calendar.busy = merged(own.away), sorted(own.busy)
            calendar.full = own.full
            if cap:
                # The bookings of one class begin together, and count once.
                own_full = full_days({*own.starts, *own.held}, cap, self.days)
                calendar.full = merged([*own.full, *own_full])

    def busy_time(
        self, first: date, last: date, rules: BookingRules, without: Exclusions = NO_EXCLUSIONS
    ) -> dict[StaffKey, BusyTime]:
        """What can block starts on the local days `first` to `last`, by person; queries as
        `calendars`."""
        start, end = self.days.range_of(first, last)
        begin = _instant(start - rules.buffer_before)
        rows = []
        if self.staff_ids:
            rows = _BUSY_TIME_ROWS.rows(
                business_id=self.business.pk,
                staff_ids=tuple(self.staff_ids),
                start=begin,
                at_least=begin - LONGEST_BUSY,
                end=_instant(end + rules.duration + rules.buffer_after),
                now=_instant(rules.now),
                appointment=without.appointment,
                hold=without.hold,
            )
        full: list[Range] = []
        if rules.daily_cap is not None:
            starts = starts_of_service(
                self.business.pk,
                rules.service_id,
                _instant(start),
                _instant(end),
                now=_instant(rules.now),
                moved=() if without.appointment is None else (without.appointment,),
                used=without.hold,
                shares_starts=rules.shares_starts,
            )
            full = full_days(starts, rules.daily_cap, self.days)
        found = {staff_id: BusyTime(full=full) for staff_id in self._keys}
        for staff_id, kind, joined in rows:
            seconds = list(map(int, joined.split(",")))
            starts, ranges = seconds[::3], list(zip(seconds[1::3], seconds[2::3], strict=True))
            own = found[staff_id]
            if kind == _AWAY:
                own.away += ranges
            elif kind == _BOOKED:
                own.starts, own.busy = starts, own.busy + ranges
            else:
                own.held, own.busy = starts, own.busy + ranges
        return found


def booking_rules(
    service: Service, business: Business, now: datetime, *, party_size: int = 1
) -> BookingRules:
    """The rules for booking `service` at `now` for a party."""
    days = LocalDays(business.zone)
    moment = now.timestamp()
    last_day = days.day_of(int(moment)) + service.horizon_for(business)
    return BookingRules(
        duration=service.duration_minutes * 60,
        buffer_before=service.buffer_before_minutes * 60,
        buffer_after=service.buffer_after_minutes * 60,
        interval=business.slot_interval_minutes * 60,
        # Rounded up: a start is a whole second, and one that passed a fraction ago is in the past.
        now=-int(-moment // 1),
        earliest=-int(-(moment + service.notice_for(business).total_seconds()) // 1),
        latest=days.bounds(last_day)[1],
        service_id=service.pk,
        needs_staff=service.needs_staff,
        daily_cap=service.daily_cap,
        capacity=service.capacity,
        party_size=party_size,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- Hours ---------------------------------------------------------------------------------------

_HOURS, _BREAK, _OVERRIDE, _CLOSURE = range(4)


def _load_working_hours(
    business: Business, staff_ids: list[int], first: date, last: date
) -> tuple[dict[int, Schedule], list[ClosedPeriod]]:
    """Each person's schedule, and the closures that touch the local days `first` to `last`."""
    rows: dict[int, tuple[list[Any], list[Any], list[Any]]] = {
        staff_id: ([], [], []) for staff_id in staff_ids
    }
    closures = []
    found = _HOURS_ROWS.rows(
        business_id=business.pk, staff_ids=tuple(staff_ids), first=first, last=last
    )
    for kind, staff_id, weekday, day, last_day, start, end in found:
        if kind == _CLOSURE:
            closures.append(ClosedPeriod(day, last_day, start, end))
        else:
            rows[staff_id][kind].append((day if kind == _OVERRIDE else weekday, start, end))
    schedules = {
        staff_id: Schedule(
            weekly_hours(own[_HOURS], own[_BREAK]), overrides_by_date(own[_OVERRIDE])
        )
        for staff_id, own in rows.items()
    }
    return schedules, closures


def _hours_rows(
    business_id: int, staff_ids: tuple[int, ...], first: date, last: date
) -> QuerySet[Any]:
    """(kind, staff id, weekday, date, last date, start minute, end minute); null where the kind has
    no such column."""
    no_date = Cast(Value(None), DateField())
    no_number = Cast(Value(None), SmallIntegerField())

    def columns(rows: QuerySet[Any], kind: int, *names: Any) -> QuerySet[Any]:
        named = {f"column_{place}": name for place, name in enumerate((Value(kind), *names))}
        return rows.annotate(**named).values_list(*named)

    def of(model: Any) -> Any:
        return model.objects.for_business(business_id).for_staff(staff_ids)

    minutes = (F("start_minute"), F("end_minute"))
    weekly = (F("staff_id"), F("weekday"), no_date, no_date, *minutes)
    overrides = of(DateOverride).between(first, last)
    closures = Closure.objects.for_business(business_id).between(first, last)
    period = (F("first_date"), F("last_date"), F("from_minute"), F("until_minute"))
    return columns(of(WorkingHours), _HOURS, *weekly).union(
        columns(of(Break), _BREAK, *weekly),
        columns(overrides, _OVERRIDE, F("staff_id"), no_number, F("date"), no_date, *minutes),
        columns(closures, _CLOSURE, no_number, no_number, *period),
        all=True,
    )


_HOURS_ROWS: Final = CompiledQuery(_hours_rows)


# --- Busy time -----------------------------------------------------------------------------------

_BOOKED, _HELD, _AWAY = range(3)


class JoinedSeconds(Aggregate):
    """Instants of many rows as one text: Unix seconds, separated by commas. A month of twenty people
    has five thousand rows, and fetching them one by one took longer than the rest of the request."""

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "STRING_AGG(CONCAT_WS(',', %(expressions)s), ',')"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "GROUP_CONCAT(%(expressions)s)"
        return super().as_sql(
            compiler, connection, template=template, arg_joiner=" || ',' || ", **context
        )


class Seconds(Func):
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "DATE_PART('epoch', %(expressions)s)::bigint"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "STRFTIME('%%%%s', %(expressions)s)"
        return super().as_sql(compiler, connection, template=template, **context)


def _busy_time_rows(
    business_id: int,
    staff_ids: tuple[int, ...],
    start: datetime,
    at_least: datetime,
    end: datetime,
    now: datetime,
    appointment: int | None,
    hold: int | None,
) -> QuerySet[Any]:
    """(staff id, kind, starts with blocked ranges) of all that overlaps [start, end). Nothing that
    does begins before `at_least`, see `BusyRangeQuerySet.overlapping`."""

    def joined(rows: QuerySet[Any], kind: int, *names: str) -> QuerySet[Any]:
        seconds = JoinedSeconds(*(Seconds(name) for name in names))
        return rows.values("staff_id").annotate(kind=Value(kind), seconds=seconds)

    appointments = (
        Appointment.objects.for_business(business_id).for_staff(*staff_ids).not_cancelled()
    )
    holds = Hold.objects.for_business(business_id).for_staff(*staff_ids).live(now)
    away = TimeOff.objects.for_business(business_id).for_staff(staff_ids)
    elsewhere = CalendarBusyTime.objects.for_business(business_id).for_staff(staff_ids)
    if appointment is not None:
        appointments = appointments.exclude(pk=appointment)
    if hold is not None:
        holds = holds.exclude(pk=hold)
    blocked = ("start_time", "busy_start", "busy_end")
    period = ("start_time", "start_time", "end_time")
    return (
        joined(appointments.overlapping(start, end, at_least=at_least), _BOOKED, *blocked)
        .union(
            joined(holds.overlapping(start, end, at_least=at_least), _HELD, *blocked),
            joined(away.overlapping(start, end), _AWAY, *period),
            joined(elsewhere.overlapping(start, end), _AWAY, *period),
            all=True,
        )
        .values_list("staff_id", "kind", "seconds")
    )


_BUSY_TIME_ROWS: Final = CompiledQuery(_busy_time_rows)
