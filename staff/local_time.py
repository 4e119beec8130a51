"""Which instant is a wall time? Days and clocks of one IANA zone on the axis of Unix seconds.

Twice a year, and at odd moments, a wall clock jumps. Two rules hold everywhere:
- A wall time that comes twice (the clock was set back) means its first time.
- A wall time that never comes (the clock was set forward) is no time to book. As the edge of a
  window or day it is the instant of the jump: hours from 02:30 begin at 03:00 on such a day.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from staff.ranges import Range

DAY_SECONDS: Final = 24 * 60 * 60


def is_skipped(zone: ZoneInfo, local: datetime) -> bool:
    """Whether the wall time `local` (naive) never comes in `zone`."""
    first, second = _readings(zone, local)
    return first > second


def instant_of(zone: ZoneInfo, local: datetime) -> int:
    """Unix seconds of the naive wall time `local`, by the two rules above."""
    first, second = _readings(zone, local)
    return first if first <= second else _jump_between(zone, second, first)


def local_date(zone: ZoneInfo, instant: int) -> date:
    """What the calendar on the wall shows at `instant`."""
    return datetime.fromtimestamp(instant, zone).date()


class LocalDays:
    """The days of a zone. Remembers each midnight: laying out the hours of many people over many
    days asks for the same ones again and again."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._midnights: dict[date, int] = {}
        self._rows: dict[tuple[date, date], list[tuple[date, int, bool]]] = {}

    def midnight(self, day: date) -> int:
        """The first instant of `day`. A day that was left out (Apia, 2011-12-30) has no length."""
        known = self._midnights.get(day)
        if known is None:
            known = self._midnights[day] = instant_of(self.zone, datetime.combine(day, time()))
        return known

    def bounds(self, day: date) -> Range:
        """[midnight, next midnight): 23, 24 or 25 hours, or what the zone makes of it."""
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
        """When the clock shows `minute` minutes after midnight; 1440 is the next midnight."""
        start, end = self.bounds(day)
        if end - start == DAY_SECONDS:
            # No jump on this day: no zone of the IANA data jumps twice within a day.
            return start + minute * 60
        return instant_of(self.zone, datetime.combine(day, time()) + timedelta(minutes=minute))

    def day_of(self, instant: int) -> date:
        return local_date(self.zone, instant)


def _readings(zone: ZoneInfo, local: datetime) -> tuple[int, int]:
    """`local` by the offset before and by the offset after a jump; equal on all other days."""
    aware = local.replace(tzinfo=zone)
    return int(aware.timestamp()), int(aware.replace(fold=1).timestamp())


def _jump_between(zone: ZoneInfo, before: int, after: int) -> int:
    """The instant in (before, after] at which the offset changes."""
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, instant: int) -> timedelta | None:
    return datetime.fromtimestamp(instant, zone).utcoffset()
