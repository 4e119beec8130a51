"""Reads what availability needs: when people work, and what takes their time.

One query for all hours and closures, one for each stretch of bookings, however many people there
are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
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

from appointments.availability import Agenda, Terms
from appointments.models import LONGEST_BUSY, Appointment, Hold
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
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
from staff.local_time import LocalDays
from staff.models import Break, Closure, DateOverride, TimeOff, WorkingHours
from staff.ranges import Range, merged

# So far round the days asked for the hours are laid out: a shift shorter than this is seen whole.
_AROUND: Final = LONGEST_SHIFT + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Except:
    """What does not stand in the way: an appointment that is moved, a hold that is used."""

    appointment: int | None = None
    hold: int | None = None


NOTHING: Final = Except()


@dataclass(slots=True)
class Taken:
    """What takes one person's time. `starts`: when the appointments among it begin; `held`: when
    the holds do."""

    away: list[Range] = field(default_factory=list)
    busy: list[Range] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)


class Roster:
    """The hours of `staff_ids` for the local days `first` to `last`, and what takes their time."""

    def __init__(
        self, business: Business, staff_ids: Collection[int], first: date, last: date
    ) -> None:
        self.business = business
        self.staff_ids = list(staff_ids)
        self.days = LocalDays(business.zone)
        self._schedules, closures = _read_hours(
            business, self.staff_ids, first - _AROUND, last + _AROUND
        )
        self._closed = closed_ranges(closures, self.days)

    def hours(self, first: date, last: date) -> dict[int, Agenda]:
        """Everyone's hours and closures for the local days `first` to `last`; no query."""
        found = {}
        for staff_id in self.staff_ids:
            windows = working_windows(
                self._schedules[staff_id], self.days, first - _AROUND, last + _AROUND
            )
            found[staff_id] = Agenda(windows, grid_segments(windows, self.days), self._closed)
        return found

    def agendas(
        self, first: date, last: date, terms: Terms, without: Except = NOTHING
    ) -> dict[int, Agenda]:
        """Everyone's time for starts on the local days `first` to `last`; one query."""
        agendas = self.hours(first, last)
        self.fill(agendas, self.taken(first, last, terms, without))
        return agendas

    def fill(self, agendas: dict[int, Agenda], taken: dict[int, Taken]) -> None:
        """Writes what is taken into the agendas."""
        cap = self.business.daily_cap_per_staff
        for staff_id, mine in taken.items():
            agenda = agendas[staff_id]
            agenda.away, agenda.busy = merged(mine.away), sorted(mine.busy)
            if cap:
                agenda.full = self._full_days([*mine.starts, *mine.held], cap)

    def taken(
        self, first: date, last: date, terms: Terms, without: Except = NOTHING
    ) -> dict[int, Taken]:
        """What takes everyone's time round starts on the local days `first` to `last`; one query."""
        start, end = self.days.range_of(first, last)
        begin = _instant(start - terms.buffer_before)
        rows = _TAKEN_ROWS.rows(
            business_id=self.business.pk,
            staff_ids=tuple(self.staff_ids),
            start=begin,
            at_least=begin - LONGEST_BUSY,
            end=_instant(end + terms.duration + terms.buffer_after),
            now=_instant(terms.now),
            appointment=without.appointment,
            hold=without.hold,
        )
        found = {staff_id: Taken() for staff_id in self.staff_ids}
        for staff_id, kind, joined in rows:
            seconds = list(map(int, joined.split(",")))
            begins, ranges = seconds[::3], list(zip(seconds[1::3], seconds[2::3], strict=True))
            mine = found[staff_id]
            if kind == _AWAY:
                mine.away = ranges
            elif kind == _BOOKED:
                mine.starts, mine.busy = begins, mine.busy + ranges
            else:
                mine.held, mine.busy = begins, mine.busy + ranges
        return found

    def _full_days(self, starts: Iterable[int], cap: int) -> list[Range]:
        """The local days on which `cap` appointments begin."""
        count: dict[date, int] = {}
        for start in starts:
            day = self.days.day_of(start)
            count[day] = count.get(day, 0) + 1
        return sorted(self.days.bounds(day) for day, number in count.items() if number >= cap)


def terms_of(service: Service, business: Business, now: datetime) -> Terms:
    """The rules for booking `service` at `now`."""
    days = LocalDays(business.zone)
    moment = now.timestamp()
    last_day = days.day_of(int(moment)) + timedelta(days=business.horizon_days)
    return Terms(
        duration=service.duration_minutes * 60,
        buffer_before=service.buffer_before_minutes * 60,
        buffer_after=service.buffer_after_minutes * 60,
        interval=business.slot_interval_minutes * 60,
        # Rounded up: a start is a whole second, and one that is over by a fraction is past.
        now=-int(-moment // 1),
        earliest=-int(-(moment + business.minimum_notice_minutes * 60) // 1),
        latest=days.bounds(last_day)[1],
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- Hours ---------------------------------------------------------------------------------------

_HOURS, _BREAK, _OVERRIDE, _CLOSURE = range(4)


def _read_hours(
    business: Business, staff_ids: list[int], first: date, last: date
) -> tuple[dict[int, Schedule], list[ClosedPeriod]]:
    """Everyone's schedule, and the closures that touch the local days `first` to `last`."""
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
    """(kind, staff id, weekday, date, last date, start minute, end minute), as far as it has them."""
    no_date = Cast(Value(None), DateField())
    no_number = Cast(Value(None), SmallIntegerField())

    def columns(rows: QuerySet[Any], kind: int, *names: Any) -> QuerySet[Any]:
        named = {f"column_{place}": name for place, name in enumerate((Value(kind), *names))}
        return rows.annotate(**named).values_list(*named)

    def of(model: Any) -> Any:
        return model.objects.for_business(business_id).of_staff(staff_ids)

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


_HOURS_ROWS: Final = Prepared(_hours_rows)


# --- What is taken -------------------------------------------------------------------------------

_BOOKED, _HELD, _AWAY = range(3)


class _JoinedSeconds(Aggregate):
    """Instants of many rows as one text, Unix seconds with commas. A month of twenty people has
    five thousand rows: to fetch them one by one takes longer than all the rest of the answer."""

    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "STRING_AGG(CONCAT_WS(',', %(expressions)s), ',')"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "GROUP_CONCAT(%(expressions)s)"
        return super().as_sql(
            compiler, connection, template=template, arg_joiner=" || ',' || ", **context
        )


class _Seconds(Func):
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "DATE_PART('epoch', %(expressions)s)::bigint"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "STRFTIME('%%%%s', %(expressions)s)"
        return super().as_sql(compiler, connection, template=template, **context)


def _taken_rows(
    business_id: int,
    staff_ids: tuple[int, ...],
    start: datetime,
    at_least: datetime,
    end: datetime,
    now: datetime,
    appointment: int | None,
    hold: int | None,
) -> QuerySet[Any]:
    """(staff id, kind, starts with blocked ranges) of all that overlaps [start, end); nothing that
    does begins before `at_least`."""

    def joined(rows: QuerySet[Any], kind: int, *names: str) -> QuerySet[Any]:
        seconds = _JoinedSeconds(*(_Seconds(name) for name in names))
        return rows.values("staff_id").annotate(kind=Value(kind), seconds=seconds)

    appointments = Appointment.objects.for_business(business_id).of_staff(*staff_ids).standing()
    holds = Hold.objects.for_business(business_id).of_staff(*staff_ids).live(now)
    away = TimeOff.objects.for_business(business_id).of_staff(staff_ids)
    if appointment is not None:
        appointments = appointments.exclude(pk=appointment)
    if hold is not None:
        holds = holds.exclude(pk=hold)
    blocked = ("start_time", "busy_start", "busy_end")
    return (
        joined(appointments.overlapping(start, end, at_least=at_least), _BOOKED, *blocked)
        .union(
            joined(holds.overlapping(start, end, at_least=at_least), _HELD, *blocked),
            joined(away.overlapping(start, end), _AWAY, "start_time", "start_time", "end_time"),
            all=True,
        )
        .values_list("staff_id", "kind", "seconds")
    )


_TAKEN_ROWS: Final = Prepared(_taken_rows)
