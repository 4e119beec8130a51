"""Restricts bookable starts by the seats of classes and by resources: studios, chairs, tables.

Pure functions: no database, no clock. Times are Unix seconds. A resource has starts of its own, from
the same function as those of staff (`starts_of`): a start is bookable where the member of staff, if
the service needs one, and one resource of each required kind are free. A class that has begun to fill
can be joined at its start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from appointments.availability import (
    BookableStarts,
    BookingRules,
    StaffCalendar,
    contains,
    starts_of,
)
from staff.intervals import Range, intersection, merged, without


@dataclass(frozen=True, slots=True)
class ClassSession:
    """The appointments and holds of one class with one member of staff, or without, at one start.
    `bookings` is their number; each has the same resources."""

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
    those that are free the smallest is chosen; tie: the lowest id. `closed` are the closures of the
    business, where no calendar of a member of staff has them.
    """

    def __init__(
        self,
        resources: Iterable[ResourceTime],
        kinds: Collection[str],
        rules: BookingRules,
        span: Range,
        closed: Sequence[Range] = (),
    ) -> None:
        self._kinds = sorted(kinds)
        self._closed = closed
        self._resources = {
            resource.id: resource
            for resource in sorted(resources, key=lambda one: (one.capacity, one.id))
            if resource.kind in self._kinds
            and resource.capacity >= max(rules.capacity, rules.party_size)
        }
        self._rules = rules
        self._starts = {
            resource.id: starts_of(_calendar(resource, closed), rules, span)
            for resource in self._resources.values()
        }
        self._coverage: dict[int, tuple[_Coverage, Counter[int]]] = {}
        self.free = self._of_all_kinds(lambda resource: self._starts[resource.id].free)

    def windows(self) -> list[Range]:
        """When a resource of each kind is open."""
        return self._of_all_kinds(lambda resource: resource.windows)

    def starts(self, grid: Sequence[Range]) -> BookableStarts:
        """The starts of a service that needs no staff: after each rule those that it leaves to a
        resource of each kind."""
        starts = self._starts
        return BookableStarts(
            self._of_all_kinds(lambda resource: starts[resource.id].in_hours),
            self._of_all_kinds(lambda resource: starts[resource.id].not_closed),
            self._of_all_kinds(lambda resource: starts[resource.id].not_away),
            self.free,
            grid,
            closed=self._closed,
        )

    def missing_kind(self) -> str | None:
        """A kind of which no resource is large enough, or None."""
        found = {resource.kind for resource in self._resources.values()}
        return next((kind for kind in self._kinds if kind not in found), None)

    def options(self, start: int) -> list[list[int]]:
        """Of each kind the ids of the resources that a booking at `start` can have, the best first."""
        return [
            [
                resource.id
                for resource in self._resources.values()
                if resource.kind == kind and contains(self._starts[resource.id].free, start)
            ]
            for kind in self._kinds
        ]

    def edges(self) -> set[int]:
        """The starts at which `options` may change."""
        return {edge for one in self._starts.values() for span in one.free for edge in span}

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

    def _of_all_kinds(self, ranges_of: Callable[[ResourceTime], Sequence[Range]]) -> list[Range]:
        """What the ranges of at least one resource of each kind have in common."""
        of_kinds = [
            merged(
                one
                for resource in self._resources.values()
                if resource.kind == kind
                for one in ranges_of(resource)
            )
            for kind in self._kinds
        ]
        return reduce(intersection, of_kinds)

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


def without_staff(
    resources: ResourceStarts,
    rules: BookingRules,
    span: Range,
    *,
    grid: Sequence[Range],
    full: Sequence[Range],
    sessions: Mapping[int, ClassSession],
) -> BookableStarts:
    """The starts of a service that needs no staff. `full` are the days on which its daily cap is
    reached; `sessions` are those of a class: each start has at most one."""
    starts = resources.starts(grid)
    if exceeds_capacity(rules, has_resources=True):
        return replace(starts, free=[])
    begun = [(start, start + 1) for start in sessions]
    free = without(starts.free, merged([*full, *begun]))
    seats = {
        start: rules.capacity - session.seats_booked
        for start, session in _with_seats(sessions, rules, span).items()
        if resources.admit(session, start)
    }
    free = merged([*free, *((start, start + 1) for start in seats)])
    return replace(starts, free=free, seats=seats)


def exceeds_capacity(rules: BookingRules, *, has_resources: bool) -> bool:
    """Whether no start can take the party. A service that is no class has no number of people of its
    own where a resource says how many there can be: a table."""
    is_limited = rules.capacity > 1 or not has_resources
    return is_limited and rules.party_size > rules.capacity


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
    within = _with_seats(sessions, rules, span)
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


def _with_seats(
    sessions: Mapping[int, ClassSession], rules: BookingRules, span: Range
) -> dict[int, ClassSession]:
    """The sessions within `span`, notice and horizon that have seats left for the party."""
    lower, upper = max(span[0], rules.earliest), min(span[1], rules.latest)
    return {
        start: session
        for start, session in sessions.items()
        if lower <= start < upper and rules.capacity - session.seats_booked >= rules.party_size
    }


def _calendar(resource: ResourceTime, closed: Sequence[Range]) -> StaffCalendar:
    return StaffCalendar(
        resource.windows,
        closed=closed,
        away=resource.away,
        busy=sorted((begin, end) for _, begin, end in resource.busy),
    )
