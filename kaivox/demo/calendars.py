"""Calendars elsewhere of the demo's staff, with what was stored when they were last read.

Their hosts end in `.example`, a domain that is reserved for documentation, and none is due to be read:
nothing is requested.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from kaivox.demo.catalogue import DemoBusiness, DemoCalendar
from kaivox.demo.rows import Made
from staff.busy_calendars import masked
from staff.models import BusyCalendar, CalendarBusyTime

# Never; the column is not null.
_NEXT_POLL: Final = datetime(9999, 1, 1, tzinfo=UTC)
_DAYS: Final = range(1, 61)
_FAILING_FOR: Final = timedelta(days=2)
_PROBLEM: Final = "It responded with status 404."


def seed_calendars(demo: DemoBusiness, made: Made, today: date, now: datetime) -> None:
    for one in demo.calendars:
        days = [today + timedelta(days=offset) for offset in _DAYS]
        busy = [
            (_at(made, day, one.start), _at(made, day, one.end))
            for day in days
            if day.weekday() in one.weekdays
        ]
        calendar = _make(one, made, len(busy), now)
        CalendarBusyTime.objects.bulk_create(
            CalendarBusyTime(
                business=made.business,
                calendar=calendar,
                staff=calendar.staff,
                start_time=start,
                end_time=end,
            )
            for start, end in busy
        )


def _make(one: DemoCalendar, made: Made, busy_count: int, now: datetime) -> BusyCalendar:
    failing_since = now - _FAILING_FOR if one.is_stale else None
    calendar: BusyCalendar = BusyCalendar.objects.create(
        business=made.business,
        staff=made.staff[one.staff],
        name=one.name,
        ics_url=one.url,
        shown_url=masked(one.url),
        busy_count=busy_count,
        last_read_at=(failing_since or now) - timedelta(minutes=9),
        failing_since=failing_since,
        problem=_PROBLEM if one.is_stale else "",
        failure_count=12 if one.is_stale else 0,
        next_poll_at=_NEXT_POLL,
    )
    return calendar


def _at(made: Made, day: date, minute: int) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60), tzinfo=made.business.zone)
