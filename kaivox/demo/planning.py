"""A believable calendar: who is booked for what on a day. Pure, and the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kaivox.demo.catalogue import DemoBusiness, DemoService, DemoStaff, Shift

GRID_MINUTES: Final = 15
FIRST_DAY: Final = -21
LAST_DAY: Final = 14
# Of a person's time about this much was booked; from tomorrow on less and less is.
_BUSY_BEFORE: Final = 0.4
_BUSY_TOMORROW: Final = 0.24
_BUSY_LAST_DAY: Final = 0.03
# Some came once, this long ago, and never again.
_LAPSED_DAYS: Final = range(200, 290, 15)


@dataclass(frozen=True)
class Plan:
    """One appointment to be; aware times, in the business's zone."""

    staff: DemoStaff
    service: DemoService
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.service.minutes)


def chance_of(demo: DemoBusiness, *parts: object) -> random.Random:
    """Chance that falls the same way for the same business and day."""
    return random.Random(":".join(map(str, (demo.slug, *parts))))  # noqa: S311 - no secret


def plans_of(demo: DemoBusiness, today: date) -> Iterator[Plan]:
    """Appointments of some weeks round `today`, day by day."""
    closed = {(month, day) for month, day, _ in demo.holidays}
    for offset in range(FIRST_DAY, LAST_DAY + 1):
        day = today + timedelta(days=offset)
        if (day.month, day.day) in closed:
            continue
        for person in demo.staff:
            chance = chance_of(demo, day, person.name)
            for shift in person.shifts:
                if day.weekday() in shift.weekdays:
                    yield from _shift_of(demo, person, shift, day, chance, offset)


def lapsed_plans_of(demo: DemoBusiness, today: date) -> Iterator[Plan]:
    """One appointment each of those who came once, long ago."""
    zone = ZoneInfo(demo.settings["timezone"])
    for number, days in enumerate(_LAPSED_DAYS):
        person = demo.staff[number % len(demo.staff)]
        shift = person.shifts[0]
        day = today - timedelta(days=days)
        while day.weekday() not in shift.weekdays:
            day -= timedelta(days=1)
        service = next(one for one in demo.services if one.name in person.services)
        clock = time(shift.start // 60, shift.start % 60)
        yield Plan(person, service, datetime.combine(day, clock, tzinfo=zone))


def _shift_of(
    demo: DemoBusiness,
    person: DemoStaff,
    shift: Shift,
    day: date,
    chance: random.Random,
    offset: int,
) -> Iterator[Plan]:
    zone = ZoneInfo(demo.settings["timezone"])
    offered = [service for service in demo.services if service.name in person.services]
    for first, last in _stretches(shift):
        at = first
        while at < last:
            service = chance.choice(offered)
            fits = at + service.minutes <= last
            if fits and chance.random() < _busyness(offset):
                clock = time(at // 60, at % 60)
                yield Plan(person, service, datetime.combine(day, clock, tzinfo=zone))
                at += service.minutes + service.buffer_after + GRID_MINUTES
            else:
                at += chance.choice((30, 45, 60, 90))
            at = -(-at // GRID_MINUTES) * GRID_MINUTES


def _stretches(shift: Shift) -> list[tuple[int, int]]:
    if shift.pause is None:
        return [(shift.start, shift.end)]
    return [(shift.start, shift.pause[0]), (shift.pause[1], shift.end)]


def _busyness(offset: int) -> float:
    if offset <= 0:
        return _BUSY_BEFORE
    return _BUSY_TOMORROW - (_BUSY_TOMORROW - _BUSY_LAST_DAY) * offset / LAST_DAY
