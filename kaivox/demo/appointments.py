"""Generator of the demo's appointments. Pure and deterministic per business and day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kaivox.demo.catalogue import DemoBusiness, DemoService, DemoStaff, Shift

GRID_MINUTES: Final = 15
FIRST_DAY: Final = -28
LAST_DAY: Final = 14
# Share of a person's time that is booked; from tomorrow on it decreases linearly.
_BUSY_BEFORE: Final = 0.4
_BUSY_TOMORROW: Final = 0.24
_BUSY_LAST_DAY: Final = 0.03
# Customers with a single visit, this many days ago: segment inactive.
_LAPSED_DAYS: Final = range(200, 290, 15)


@dataclass(frozen=True)
class Plan:
    """One planned appointment; aware times in the zone of the business. `staff` is only who would perform
    it where the service needs no staff."""

    staff: DemoStaff
    service: DemoService
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.service.minutes)


@dataclass(frozen=True)
class Session:
    """One session of a class, and how many of its seats are booked."""

    plan: Plan
    seats_booked: int

    @property
    def is_full(self) -> bool:
        return self.seats_booked == self.plan.service.capacity


def chance_of(demo: DemoBusiness, *parts: object) -> random.Random:
    """A random generator seeded by the business and `parts`."""
    return random.Random(":".join(map(str, (demo.slug, *parts))))  # noqa: S311 - no secret


def plans_of(demo: DemoBusiness, today: date) -> Iterator[Plan]:
    """Appointments from FIRST_DAY to LAST_DAY around `today`, day by day, but for those of classes."""
    for offset, day in _open_days(demo, today):
        for person in demo.staff:
            if _class_of(demo, person):
                continue
            chance = chance_of(demo, day, person.name)
            for shift in person.shifts:
                if day.weekday() in shift.weekdays:
                    yield from _shift_of(demo, person, shift, day, chance, offset)


def sessions_of(demo: DemoBusiness, today: date) -> Iterator[Session]:
    """The sessions of classes on the same days. The first one after `today` is full, those after it
    have fewer bookings the later they are."""
    zone = ZoneInfo(demo.settings["timezone"])
    has_full = False
    for offset, day in _open_days(demo, today):
        for person in demo.staff:
            service = _class_of(demo, person)
            if service is None:
                continue
            for shift in person.shifts:
                if day.weekday() not in shift.weekdays:
                    continue
                is_full = offset > 0 and not has_full
                has_full = has_full or is_full
                share = min(1, 1 - offset / (LAST_DAY + 2))
                share *= chance_of(demo, day, person.name).uniform(0.4, 0.9)
                clock = time(shift.start // 60, shift.start % 60)
                plan = Plan(person, service, datetime.combine(day, clock, tzinfo=zone))
                yield Session(
                    plan, service.capacity if is_full else round(service.capacity * share)
                )


def _open_days(demo: DemoBusiness, today: date) -> Iterator[tuple[int, date]]:
    """Days from FIRST_DAY to LAST_DAY around `today` that are no holidays, with their offsets."""
    closed = {(month, day) for month, day, _ in demo.holidays}
    for offset in range(FIRST_DAY, LAST_DAY + 1):
        day = today + timedelta(days=offset)
        if (day.month, day.day) not in closed:
            yield offset, day


def _class_of(demo: DemoBusiness, person: DemoStaff) -> DemoService | None:
    """The class that `person` teaches; they offer nothing else."""
    return next(
        (one for one in demo.services if one.name in person.services and one.capacity > 1), None
    )


def lapsed_plans_of(demo: DemoBusiness, today: date) -> Iterator[Plan]:
    """One appointment each of customers who came once, long ago."""
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
    for first, last in windows_of(shift):
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


def windows_of(shift: Shift) -> list[tuple[int, int]]:
    """The hours of one day, without the pause; minutes of the day."""
    if shift.pause is None:
        return [(shift.start, shift.end)]
    return [(shift.start, shift.pause[0]), (shift.pause[1], shift.end)]


def _busyness(offset: int) -> float:
    if offset <= 0:
        return _BUSY_BEFORE
    return _BUSY_TOMORROW - (_BUSY_TOMORROW - _BUSY_LAST_DAY) * offset / LAST_DAY
