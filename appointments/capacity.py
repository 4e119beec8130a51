"""Restricts bookable starts by the seats of classes and by resources: resources, chairs, tables.

Pure functions: no database, no clock. Times are Unix seconds. A resource has starts of its own, from
the same function as those of staff (`starts_of`): a start is bookable where the member of staff and
one resource of each required kind are free. A class that has begun to fill can be joined at its start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from appointments.availability import (
    BookableStarts,
    BookingRules,
    StaffCalendar,
    contains,
    starts_of,
)
from staff.intervals import Range, merged


@dataclass(frozen=True, slots=True)
class ClassSession:
    """The appointments and holds of one class with one member of staff at one start. `bookings` is
    their number; each has the same resources."""

    seats_booked: int
    bookings: int
    resource_ids: frozenset[int] = frozenset()


@dataclass(slots=True)
class ResourceTime:
    """A resource that can be booked and its time. `windows` are its hours, `away` its closures, `busy`
    the (start, blocked start, blocked end) of appointments and holds."""

    id: int
    kind: str
    capacity: int
    windows: Sequence[Range]
    away: Sequence[Range] = ()
    busy: list[tuple[int, int, int]] = field(default_factory=list)


class _Coverage:
    """Counts the blocked ranges that a start would overlap."""

    def __init__(self, busy: Iterable[Range], rules: BookingRules) -> None:
        reach = rules.duration + rules.buffer_after - 1
        ranges = list(busy)
        self._begins = sorted(start - reach for start, _ in ranges)
        self._ends = sorted(end + rules.buffer_before for _, end in ranges)

    def at(self, start: int) -> int:
        return bisect_right(self._begins, start) - bisect_right(self._ends, start)


class ResourceStarts:
    """The starts within `span` at which one resource of each of `kinds` is free and large enough.

    A resource is large enough for the party and, where the service is a class, for all its seats. Of
    those that are free the smallest is chosen; tie: the lowest id.
    """

    def __init__(
        self,
        resources: Iterable[ResourceTime],
        kinds: Collection[str],
        rules: BookingRules,
        span: Range,
    ) -> None:
        self._kinds = sorted(kinds)
        self._resources = {
            resource.id: resource
            for resource in sorted(resources, key=lambda one: (one.capacity, one.id))
            if resource.kind in self._kinds
            and resource.capacity >= max(rules.capacity, rules.party_size)
        }
        self._rules = rules
        self._starts = {
            resource.id: starts_of(_calendar(resource), rules, span)
            for resource in self._resources.values()
        }
        self._coverage: dict[int, tuple[_Coverage, Counter[int]]] = {}
        free: Sequence[Range] = [span]
        for kind in self._kinds:
            free = intersection(free, merged(self._free_of(kind)))
        self.free = free

    def missing_kind(self) -> str | None:
        """A kind of which no resource is large enough, or None."""
        found = {resource.kind for resource in self._resources.values()}
        return next((kind for kind in self._kinds if kind not in found), None)

    def choose(self, start: int) -> tuple[int, ...]:
        """Ids of the resources for a booking at `start`, which must be one of `free`."""
        return tuple(
            next(
                resource.id
                for resource in self._resources.values()
                if resource.kind == kind and contains(self._starts[resource.id].free, start)
            )
            for kind in self._kinds
        )

    def admit(self, session: ClassSession, start: int) -> bool:
        """Whether `session` has all that the service requires now, open and free but for the session
        itself."""
        own = [self._resources[one] for one in self.of_session(session)]
        return sorted(resource.kind for resource in own) == self._kinds and all(
            self._is_free_but_for_its_own(resource, start) for resource in own
        )

    def of_session(self, session: ClassSession) -> list[int]:
        """Ids of what `session` has of the resources that can be chosen, by id."""
        return sorted(session.resource_ids & self._resources.keys())

    def _free_of(self, kind: str) -> list[Range]:
        return [
            free
            for resource in self._resources.values()
            if resource.kind == kind
            for free in self._starts[resource.id].free
        ]

    def _is_free_but_for_its_own(self, resource: ResourceTime, start: int) -> bool:
        if resource.id not in self._coverage:
            busy = ((begin, end) for _, begin, end in resource.busy)
            counts = Counter(begin for begin, _, _ in resource.busy)
            self._coverage[resource.id] = _Coverage(busy, self._rules), counts
        coverage, beginning = self._coverage[resource.id]
        # What begins with the session is of the session: no two sessions share a resource.
        return (
            contains(self._starts[resource.id].not_away, start)
            and coverage.at(start) == beginning[start]
        )


def with_capacity(
    starts: BookableStarts,
    calendar: StaffCalendar,
    rules: BookingRules,
    span: Range,
    *,
    sessions: Mapping[int, ClassSession],
    resources: ResourceStarts | None = None,
) -> BookableStarts:
    """`starts` of one member of staff, without those at which a resource is missing, and with those at
    which a class has seats for the party. `sessions` are this person's, by start."""
    if exceeds_capacity(rules, has_resources=resources is not None):
        return replace(starts, free=[])
    free = starts.free if resources is None else intersection(starts.free, resources.free)
    seats = _joinable(starts, calendar, rules, span, sessions, resources)
    if seats:
        free = merged([*free, *((start, start + 1) for start in seats)])
    return replace(starts, free=free, seats=seats)


def exceeds_capacity(rules: BookingRules, *, has_resources: bool) -> bool:
    """Whether no start can take the party. A service that is no class has no number of people of its
    own where a resource says how many there can be: a table."""
    is_limited = rules.capacity > 1 or not has_resources
    return is_limited and rules.party_size > rules.capacity


def intersection(ranges: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """What is in both; each is sorted and does not overlap itself."""
    found: list[Range] = []
    here = there = 0
    while here < len(ranges) and there < len(others):
        start = max(ranges[here][0], others[there][0])
        end = min(ranges[here][1], others[there][1])
        if start < end:
            found.append((start, end))
        if ranges[here][1] < others[there][1]:
            here += 1
        else:
            there += 1
    return found


def _joinable(
    starts: BookableStarts,
    calendar: StaffCalendar,
    rules: BookingRules,
    span: Range,
    sessions: Mapping[int, ClassSession],
    resources: ResourceStarts | None,
) -> dict[int, int]:
    """The seats that are left, by start of the sessions that the party can join. A session that exists
    does not count against the daily cap again."""
    lower, upper = max(span[0], rules.earliest), min(span[1], rules.latest)
    within = {
        start: session
        for start, session in sessions.items()
        if lower <= start < upper and rules.capacity - session.seats_booked >= rules.party_size
    }
    if not within:
        return {}
    coverage = _Coverage(calendar.busy, rules)
    return {
        start: rules.capacity - session.seats_booked
        for start, session in within.items()
        if contains(starts.not_away, start)
        # The session's own bookings are all that is in the way.
        and coverage.at(start) == session.bookings
        and (resources is None or resources.admit(session, start))
    }


def _calendar(resource: ResourceTime) -> StaffCalendar:
    return StaffCalendar(
        resource.windows,
        away=resource.away,
        busy=sorted((begin, end) for _, begin, end in resource.busy),
    )
