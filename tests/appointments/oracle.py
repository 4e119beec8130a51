"""An oracle of availability that applies the booking rules minute by minute.

It is written from the rules alone and shares no code with the product: no ranges, no arithmetic on
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
    (first day, last day, from, until). `sessions` are bookings of the service, a class, for some
    people: (start, blocked start, blocked end, people); `kinds` what it requires, of `resources`. `of_service` are the starts of the service's appointments with
    anyone, in UTC minutes; `service_cap` is how many of them a day may have. Where the service does not
    need staff there is no such person: a resource of each kind is open, closures of the business aside."""

    zone: str
    now: int
    duration: int = 30
    before: int = 0
    after: int = 0
    interval: int = 15
    notice: int = 0
    horizon_days: int = 365
    cap: int | None = None
    service_cap: int | None = None
    hours: list = field(default_factory=list)
    breaks: list = field(default_factory=list)
    overrides: list = field(default_factory=list)
    closures: list = field(default_factory=list)
    time_off: list = field(default_factory=list)
    busy: list = field(default_factory=list)
    capacity: int = 1
    party: int = 1
    sessions: list = field(default_factory=list)
    kinds: list = field(default_factory=list)
    resources: list = field(default_factory=list)
    of_service: list = field(default_factory=list)
    needs_staff: bool = True


@dataclass
class Resource:
    """A resource: `hours` are (weekday, start, end), none: always; `away` (start, end) and `busy`
    (start, blocked start, blocked end); `sessions` the starts of the world's sessions that have it."""

    kind: str
    capacity: int = 1
    hours: list = field(default_factory=list)
    away: list = field(default_factory=list)
    busy: list = field(default_factory=list)
    sessions: set = field(default_factory=set)


class Oracle:
    """The oracle for the local days `first` to `last`. Hours are computed for `around` days before and
    after too: with nine a shift that is longer than a week is complete."""

    def __init__(self, world: World, first: date, last: date, around: int = 9) -> None:
        self.world, self.around = world, timedelta(days=around)
        self.first, self.last = first, last
        self.open_hours: dict[int, set[int]] = {}
        self.at_work = self._at_work() if world.needs_staff else self._at_tables()
        self.shifts: list[tuple[int, int]] = []
        self.out = self._out()
        self.blocked = {m for _, start, end in world.busy for m in range(start, end)}
        booked = {row[0] for row in (*world.busy, *world.sessions)}
        self.per_day = Counter(local_day(world.zone, start) for start in booked)
        self.of_service = Counter(local_day(world.zone, start) for start in world.of_service)

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
        seats = self.seats_left(minute)
        return (
            self.at_work.issuperset(lasting)
            and minute >= world.now + world.notice
            and day <= today + timedelta(days=world.horizon_days)
            and self.out.isdisjoint(lasting)
            and self.blocked.isdisjoint(taking)
            and not (
                world.needs_staff
                and any(_meet(row, taking) for row in world.sessions if row[0] != minute)
            )
            and (seats is not None or self._is_below_the_caps(day))
            and self._has_seats(seats)
            and all(self._has_resource(kind, minute, lasting, taking) for kind in world.kinds)
        )

    def _is_below_the_caps(self, day: date) -> bool:
        world = self.world
        return (world.cap is None or self.per_day[day] < world.cap) and (
            world.service_cap is None or self.of_service[day] < world.service_cap
        )

    def _has_seats(self, seats: int | None) -> bool:
        world = self.world
        if seats is None and world.capacity == 1 and world.kinds:
            return True  # no class: the table says how many can come
        return world.party <= (world.capacity if seats is None else seats)

    def seats_left(self, minute: int) -> int | None:
        """The seats of the session that begins then; None where none does."""
        people = [row[3] for row in self.world.sessions if row[0] == minute]
        return self.world.capacity - sum(people) if people else None

    def _has_resource(self, kind: str, minute: int, lasting: range, taking: range) -> bool:
        world = self.world
        in_session = self.seats_left(minute) is not None
        return any(
            resource.kind == kind
            and resource.capacity >= max(world.party, world.capacity)
            and (not in_session or minute in resource.sessions)
            and (not resource.hours or self._at_work(resource).issuperset(lasting))
            and not any(_meet((None, *row), lasting) for row in resource.away)
            and not any(_meet(row, taking) for row in resource.busy)
            and not any(
                _meet(row, taking)
                for row in world.sessions
                if row[0] in resource.sessions and row[0] != minute
            )
            for resource in world.resources
        )

    def is_on_grid(self, minute: int) -> bool:
        begin, end = self.shift_of(minute)
        if end - begin > 7 * 1440:
            midnight = first_reading(self.world.zone, local_day(self.world.zone, minute), 0)
            begin = max(begin, midnight)
        return (minute - begin) % self.world.interval == 0

    def shift_of(self, minute: int) -> tuple[int, int]:
        """The working time around `minute` without a gap."""
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
        """The bookable minutes on the grid; of a day without any, those that follow a minute which is
        not bookable, or begin the day."""
        candidates = sorted(self.at_work.intersection(self.minutes()))
        by_day: dict[date, list[int]] = {}
        for minute in filter(self.is_bookable, candidates):
            by_day.setdefault(local_day(self.world.zone, minute), []).append(minute)
        found = []
        for minutes in by_day.values():
            begun = {row[0] for row in self.world.sessions}
            on_grid = [minute for minute in minutes if minute in begun or self.is_on_grid(minute)]
            bookable = set(minutes)
            found += on_grid or [minute for minute in minutes if minute - 1 not in bookable]
        return found

    def _at_work(self, resource: Resource | None = None) -> set[int]:
        if resource is not None and id(resource) in self.open_hours:
            return self.open_hours[id(resource)]
        found = set()
        day = self.first - self.around
        while day <= self.last + self.around:
            if resource is None:
                found |= self._at_work_on(day)
            else:
                hours = [row[1:] for row in resource.hours if row[0] == day.weekday()]
                found |= self._wall(day, hours)
            day += timedelta(days=1)
        if resource is not None:
            self.open_hours[id(resource)] = found
        return found

    def _at_tables(self) -> set[int]:
        """The minutes at which a resource of each kind, large enough for the party, is open."""
        begin = first_reading(self.world.zone, self.first - self.around, 0)
        found = set(range(begin, first_reading(self.world.zone, self.last + self.around, 0)))
        for kind in self.world.kinds:
            open_then: set[int] = set()
            for one in self.world.resources:
                if one.kind == kind and one.capacity >= max(self.world.party, self.world.capacity):
                    open_then |= self._at_work(one) if one.hours else found
            found &= open_then
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


def _meet(row: tuple, minutes: range) -> bool:
    """Whether the blocked minutes of a row are among `minutes`."""
    return row[1] < minutes.stop and row[2] > minutes.start


def local_day(zone: str, minute: int) -> date:
    block = minute // BLOCK * BLOCK
    return date.fromordinal(_readings(zone, block)[minute - block] // 1440)


@cache
def first_reading(zone: str, day: date, minute_of_day: int) -> int:
    """The first minute at which local clocks show this or more."""
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
    """The local time at each minute of a block: days since year 1 times 1440 plus minutes."""
    return [_shown(zone, minute) for minute in range(block, block + BLOCK)]


def _shown(zone: str, minute: int) -> int:
    local = (EPOCH + timedelta(minutes=minute)).astimezone(ZoneInfo(zone))
    return local.toordinal() * 1440 + local.hour * 60 + local.minute
