"""Converts local times of an IANA zone into Unix seconds.

Two rules apply on days on which the clocks change:
- A local time that occurs twice (set back) means the first.
- A local time that does not exist (set forward) cannot be booked. As the edge of a window or day it
  means the instant of the change: hours from 02:30 begin at 03:00 on such a day.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from staff.intervals import Range

DAY_SECONDS: Final = 24 * 60 * 60


def is_skipped(zone: ZoneInfo, local: datetime) -> bool:
    """Whether the naive local time `local` does not exist in `zone`."""
    first, second = _readings(zone, local)
    return first > second


def instant_of(zone: ZoneInfo, local: datetime) -> int:
    """Unix seconds of the naive local time `local`, by the two rules above."""
    first, second = _readings(zone, local)
    return first if first <= second else change_between(zone, second, first)


def local_date(zone: ZoneInfo, instant: int) -> date:
    """The local date at `instant` (Unix seconds)."""
    return datetime.fromtimestamp(instant, zone).date()


def change_between(zone: ZoneInfo, before: int, after: int) -> int:
    """The instant in (before, after] at which the offset changes."""
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


class LocalDays:
    """The days of a zone. Caches each midnight, as the hours of many people need the same ones."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._midnights: dict[date, int] = {}
        self._rows: dict[tuple[date, date], list[tuple[date, int, bool]]] = {}

    def midnight(self, day: date) -> int:
        """The first instant of `day`. A day that was skipped (Apia, 2011-12-30) has length zero."""
        known = self._midnights.get(day)
        if known is None:
            known = self._midnights[day] = instant_of(self.zone, datetime.combine(day, time()))
        return known

    def bounds(self, day: date) -> Range:
        """[midnight, next midnight): 24 hours, or what the zone has on that day."""
        return self.midnight(day), self.midnight(day + timedelta(days=1))

    def row(self, first: date, last: date) -> list[tuple[date, int, bool]]:
        """(day, its midnight, whether it is 24 hours long) for the days `first` to `last`."""
        known = self._rows.get((first, last))
        if known is None:
            known = self._rows[first, last] = []
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                start, end = self.bounds(day)
                known.append((day, start, end - start == DAY_SECONDS))
        return known

    def range_of(self, first: date, last: date) -> Range:
        """From the first instant of `first` to the end of `last`."""
        return self.midnight(first), self.midnight(last + timedelta(days=1))

    def instant(self, day: date, minute: int) -> int:
        """The instant at which clocks show `minute` minutes after midnight; 1440 is the next midnight."""
        start, end = self.bounds(day)
        if end - start == DAY_SECONDS:
            # No change of the clocks: no zone of the IANA data has two within a day.
            return start + minute * 60
        return instant_of(self.zone, datetime.combine(day, time()) + timedelta(minutes=minute))

    def day_of(self, instant: int) -> date:
        return local_date(self.zone, instant)


def _readings(zone: ZoneInfo, local: datetime) -> tuple[int, int]:
    """`local` by the offset before and by the one after a change of the clocks; else equal."""
    aware = local.replace(tzinfo=zone)
    return int(aware.timestamp()), int(aware.replace(fold=1).timestamp())


def _offset(zone: ZoneInfo, instant: int) -> timedelta | None:
    return datetime.fromtimestamp(instant, zone).utcoffset()
