"""What is bookable, worked out minute by minute and as plainly as can be.

Written from the rules alone, it shares no code with the product: no ranges, no arithmetic on
starts, no folds. Time is a count of UTC minutes since 1970, a stretch of time a set of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BLOCK = 30


@dataclass
class World:
    """One member of staff, one service, one business. Times of day and lengths in minutes; `busy`
    are (start, blocked start, blocked end) and `time_off` (start, end) in UTC minutes; hours and
    breaks are (weekday, start, end); overrides (date, start, end) or (date, None, None); closures
    (first day, last day, from, until)."""

    zone: str
    now: int
    duration: int = 30
    before: int = 0
    after: int = 0
    interval: int = 15
    notice: int = 0
    horizon_days: int = 365
    cap: int | None = None
    hours: list = field(default_factory=list)
    breaks: list = field(default_factory=list)
    overrides: list = field(default_factory=list)
    closures: list = field(default_factory=list)
    time_off: list = field(default_factory=list)
    busy: list = field(default_factory=list)


class Oracle:
    """Answers for the local days `first` to `last`. Work is laid out `around` days before and
    after: nine show a shift longer than a week whole."""

    def __init__(self, world: World, first: date, last: date, around: int = 9) -> None:
        self.world, self.around = world, timedelta(days=around)
        self.first, self.last = first, last
        self.at_work = self._at_work()
        self.shifts: list[tuple[int, int]] = []
        self.out = self._out()
        self.blocked = {m for _, start, end in world.busy for m in range(start, end)}
        self.per_day = Counter(local_day(world.zone, start) for start, _, _ in world.busy)

    def minutes(self) -> range:
        return range(
            first_reading(self.world.zone, self.first, 0),
            first_reading(self.world.zone, self.last + timedelta(days=1), 0),
        )

    def is_bookable(self, minute: int) -> bool:
        world = self.world
        lasting = range(minute, minute + world.duration)
        if minute not in self.at_work or lasting[-1] not in self.at_work:
            return False  # most of them, and cheaply
        taking = range(minute - world.before, minute + world.duration + world.after)
        day = local_day(world.zone, minute)
        today = local_day(world.zone, world.now)
        return (
            self.at_work.issuperset(lasting)
            and minute >= world.now + world.notice
            and day <= today + timedelta(days=world.horizon_days)
            and self.out.isdisjoint(lasting)
            and self.blocked.isdisjoint(taking)
            and (world.cap is None or self.per_day[day] < world.cap)
        )

    def is_on_grid(self, minute: int) -> bool:
        begin, end = self.shift_of(minute)
        if end - begin > 7 * 1440:
            midnight = first_reading(self.world.zone, local_day(self.world.zone, minute), 0)
            begin = max(begin, midnight)
        return (minute - begin) % self.world.interval == 0

    def shift_of(self, minute: int) -> tuple[int, int]:
        """The stretch of work without a gap round `minute`."""
        for begin, end in self.shifts:
            if begin <= minute < end:
                return begin, end
        begin = end = minute
        while begin - 1 in self.at_work:
            begin -= 1
        while end in self.at_work:
            end += 1
        self.shifts.append((begin, end))
        return begin, end

    def slots(self) -> list[int]:
        candidates = sorted(self.at_work.intersection(self.minutes()))
        return [m for m in candidates if self.is_on_grid(m) and self.is_bookable(m)]

    def _at_work(self) -> set[int]:
        found = set()
        day = self.first - self.around
        while day <= self.last + self.around:
            found |= self._at_work_on(day)
            day += timedelta(days=1)
        return found

    def _at_work_on(self, day: date) -> set[int]:
        special = [row for row in self.world.overrides if row[0] == day]
        if special:
            hours = [row[1:] for row in special if row[1] is not None]
            breaks = []
        else:
            hours = [row[1:] for row in self.world.hours if row[0] == day.weekday()]
            breaks = [row[1:] for row in self.world.breaks if row[0] == day.weekday()]
        return self._wall(day, hours) - self._wall(day, breaks)

    def _wall(self, day: date, windows: list) -> set[int]:
        zone, found = self.world.zone, set()
        for start, end in windows:
            found.update(range(first_reading(zone, day, start), first_reading(zone, day, end)))
        return found

    def _out(self) -> set[int]:
        zone, found = self.world.zone, set()
        for first, last, begin, end in self.world.closures:
            found.update(range(first_reading(zone, first, begin), first_reading(zone, last, end)))
        for start, end in self.world.time_off:
            found.update(range(start, end))
        return found


def local_day(zone: str, minute: int) -> date:
    block = minute // BLOCK * BLOCK
    return date.fromordinal(_readings(zone, block)[minute - block] // 1440)


@cache
def first_reading(zone: str, day: date, minute_of_day: int) -> int:
    """The first minute at which the clock on the wall shows this or more."""
    wanted = day.toordinal() * 1440 + minute_of_day
    naive = wanted - EPOCH.toordinal() * 1440
    block = (naive - 16 * 60) // BLOCK * BLOCK
    while True:
        readings = _readings(zone, block)
        if readings[-1] >= wanted:
            for place, shown in enumerate(readings):
                if shown >= wanted:
                    return block + place
        block += BLOCK


@cache
def _readings(zone: str, block: int) -> list[int]:
    """What the clock shows at each minute of a block: days since year 1 times 1440 plus minutes."""
    return [_shown(zone, minute) for minute in range(block, block + BLOCK)]


def _shown(zone: str, minute: int) -> int:
    local = (EPOCH + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
    return local.toordinal() * 1440 + local.hour * 60 + local.minute
