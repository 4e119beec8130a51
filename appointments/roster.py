"""Reads what availability needs: when people work, and what takes their time.

Two queries for hours and closures, one for each stretch of bookings, however many people there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import BigIntegerField, DateField, Func, QuerySet, Value
from django.db.models.functions import Cast

from appointments.availability import Agenda, Terms
from appointments.models import Appointment, Hold
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


class UnixSeconds(Func):
    """An instant as whole Unix seconds. Thousands of them are read for one answer, and making a
    `datetime` of each would take longer than all the rest."""

    output_field = BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        return super().as_sql(compiler, connection, template=template, **context)


@dataclass(slots=True)
class Taken:
    """What takes one person's time. `starts`: when the appointments among it begin."""

    away: list[Range] = field(default_factory=list)
    busy: list[Range] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


class Roster:
    """The hours of `staff_ids` for the local days `first` to `last`, ready to be laid out."""

    def __init__(
        self, business: Business, staff_ids: Collection[int], first: date, last: date
    ) -> None:
        self.business = business
        self.staff_ids = list(staff_ids)
        self.days = LocalDays(business.zone)
        first, last = first - _AROUND, last + _AROUND
        self._schedules = _read_schedules(business, self.staff_ids, first, last)
        self._closures = _read_closures(business, first, last)

    def agendas(
        self,
        first: date,
        last: date,
        terms: Terms,
        *,
        except_appointment: int | None = None,
        except_hold: int | None = None,
    ) -> dict[int, Agenda]:
        """Everyone's time for starts on the local days `first` to `last`; one query."""
        taken = self.taken(
            first,
            last,
            terms,
            except_appointment=except_appointment,
            except_hold=except_hold,
        )
        return self.laid_out(first, last, taken)

    def laid_out(
        self, first: date, last: date, taken: dict[int, Taken] | None = None
    ) -> dict[int, Agenda]:
        """Agendas of hours and closures, and of what is `taken` where it is given; no query."""
        closed = closed_ranges(self._closures, self.days)
        cap = self.business.daily_cap_per_staff
        found = {}
        for staff_id in self.staff_ids:
            windows = working_windows(
                self._schedules[staff_id], self.days, first - _AROUND, last + _AROUND
            )
            agenda = Agenda(windows, grid_segments(windows, self.days), closed)
            if taken:
                mine = taken[staff_id]
                agenda.away, agenda.busy = merged(mine.away), sorted(mine.busy)
                if cap:
                    agenda.full = self._full_days(mine.starts + mine.held, cap)
            found[staff_id] = agenda
        return found

    def taken(
        self,
        first: date,
        last: date,
        terms: Terms,
        *,
        except_appointment: int | None = None,
        except_hold: int | None = None,
    ) -> dict[int, Taken]:
        """What takes everyone's time round starts on the local days `first` to `last`; one query."""
        start, end = self.days.range_of(first, last)
        rows = _taken_rows(
            self.business,
            self.staff_ids,
            _instant(start - terms.buffer_before),
            _instant(end + terms.duration + terms.buffer_after),
            _instant(terms.now),
            except_appointment,
            except_hold,
        )
        found = {staff_id: Taken() for staff_id in self.staff_ids}
        for staff_id, kind, begin, busy_start, busy_end in rows:
            mine = found[staff_id]
            if kind == _AWAY:
                mine.away.append((busy_start, busy_end))
                continue
            mine.busy.append((busy_start, busy_end))
            (mine.starts if kind == _BOOKED else mine.held).append(begin)
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


_BOOKED, _HELD, _AWAY = 0, 1, 2
_HOURS, _BREAK, _OVERRIDE = 0, 1, 2


def _read_schedules(
    business: Business, staff_ids: list[int], first: date, last: date
) -> dict[int, Schedule]:
    def weekly(rows: QuerySet[Any], kind: int) -> QuerySet[Any]:
        no_date = Cast(Value(None), DateField())
        return rows.annotate(kind=Value(kind), on=no_date).values_list(
            "staff_id", "kind", "on", "weekday", "start_minute", "end_minute"
        )

    hours = weekly(WorkingHours.objects.for_business(business).of_staff(staff_ids), _HOURS)
    breaks = weekly(Break.objects.for_business(business).of_staff(staff_ids), _BREAK)
    overrides = DateOverride.objects.for_business(business).of_staff(staff_ids)
    by_date = (
        overrides.between(first, last)
        .annotate(kind=Value(_OVERRIDE), weekday=Value(0))
        .values_list("staff_id", "kind", "date", "weekday", "start_minute", "end_minute")
    )
    rows: dict[int, tuple[list[Any], list[Any], list[Any]]] = {
        staff_id: ([], [], []) for staff_id in staff_ids
    }
    for staff_id, kind, day, weekday, start, end in hours.union(breaks, by_date, all=True):
        rows[staff_id][kind].append((day if kind == _OVERRIDE else weekday, start, end))
    return {
        staff_id: Schedule(
            weekly_hours(own[_HOURS], own[_BREAK]), overrides_by_date(own[_OVERRIDE])
        )
        for staff_id, own in rows.items()
    }


def _read_closures(business: Business, first: date, last: date) -> list[ClosedPeriod]:
    rows = Closure.objects.for_business(business).between(first, last)
    fields = ("first_date", "last_date", "from_minute", "until_minute")
    return [ClosedPeriod(*row) for row in rows.values_list(*fields)]


def _taken_rows(
    business: Business,
    staff_ids: list[int],
    start: datetime,
    end: datetime,
    now: datetime,
    except_appointment: int | None,
    except_hold: int | None,
) -> QuerySet[Any]:
    """(staff id, kind, start, busy start, busy end) of all that overlaps [start, end)."""

    def columns(rows: QuerySet[Any], kind: int, *names: str) -> QuerySet[Any]:
        begin, busy_start, busy_end = (UnixSeconds(name) for name in names)
        return rows.annotate(kind=Value(kind), a=begin, b=busy_start, c=busy_end).values_list(
            "staff_id", "kind", "a", "b", "c"
        )

    appointments = Appointment.objects.for_business(business).of_staff(*staff_ids)
    holds = Hold.objects.for_business(business).of_staff(*staff_ids).live(now)
    away = TimeOff.objects.for_business(business).of_staff(staff_ids).overlapping(start, end)
    appointments = appointments.standing().overlapping(start, end)
    holds = holds.overlapping(start, end)
    if except_appointment is not None:
        appointments = appointments.exclude(pk=except_appointment)
    if except_hold is not None:
        holds = holds.exclude(pk=except_hold)
    blocked = ("start_time", "busy_start", "busy_end")
    return columns(appointments, _BOOKED, *blocked).union(
        columns(holds, _HELD, *blocked),
        columns(away, _AWAY, "start_time", "start_time", "end_time"),
        all=True,
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
