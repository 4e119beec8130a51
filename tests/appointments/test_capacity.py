"""Classes and resources against the brute-force oracle."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appointments.availability import is_bookable, reason_at, reason_of_day, slots_within
from appointments.capacity import (
    ClassSession,
    ResourceStarts,
    ResourceTime,
    intersection,
    with_capacity,
    without_staff,
)
from staff.hours import Schedule, grid_segments, weekly_hours, working_windows
from staff.intervals import merged
from staff.local_time import LocalDays
from tests.appointments.oracle import Oracle, Resource, World, first_reading
from tests.appointments.test_availability import RULES, engine_parts, windows, worlds
from tests.effort import examples

pytestmark = pytest.mark.once

_ALWAYS = (-(2**40), 2**40)


def engine(world: World, day):
    """The product's starts, rules and resources for a world with sessions and resources."""
    calendar, rules, starts, days = engine_parts(world, day, day)
    span = days.range_of(day, day)
    people, count = Counter(), Counter()
    for start, _, _, party in world.sessions:
        people[start] += party
        count[start] += 1
    sessions = {
        start * 60: ClassSession(
            people[start],
            count[start],
            frozenset(
                number
                for number, resource in enumerate(world.resources)
                if start in resource.sessions
            ),
        )
        for start in people
    }
    resources = None
    if world.kinds:
        times = [
            _time(number, resource, world, day, days)
            for number, resource in enumerate(world.resources)
        ]
        closed = () if world.needs_staff else calendar.closed
        resources = ResourceStarts(times, world.kinds, rules, span, closed)
    if not world.needs_staff:
        grid = grid_segments(resources.windows(), days)
        found = without_staff(
            resources, rules, span, grid=grid, full=calendar.full, sessions=sessions
        )
        return found, rules, resources, [span]
    found = with_capacity(starts, calendar, rules, span, sessions=sessions, resources=resources)
    return found, rules, resources, [span]


def _time(number: int, resource: Resource, world: World, day, days: LocalDays) -> ResourceTime:
    around = timedelta(days=4 if world.needs_staff else 9)
    schedule = Schedule(weekly_hours(resource.hours))
    is_open = resource.hours or not world.needs_staff
    if not resource.hours:
        schedule = Schedule({weekday: [(0, 1440)] for weekday in range(7)})
    return ResourceTime(
        number,
        resource.kind,
        resource.capacity,
        working_windows(schedule, days, day - around, day + around) if is_open else [_ALWAYS],
        merged((start * 60, end * 60) for start, end in resource.away),
        [
            (start * 60, begin * 60, end * 60)
            for start, begin, end in (
                *resource.busy,
                *(row[:3] for row in world.sessions if row[0] in resource.sessions),
            )
        ],
    )


resources = st.lists(
    st.tuples(
        st.sampled_from(["studio", "studio", "chair"]),
        st.sampled_from([1, 4, 12]),
        st.none() | windows,  # hours
        st.lists(st.tuples(st.integers(-600, 600), st.integers(1, 600)), max_size=1),  # closures
        st.lists(st.tuples(st.integers(0, 600), st.integers(1, 120)), max_size=3),  # bookings
        st.lists(st.integers(0, 4), max_size=3),  # sessions
    ),
    max_size=4,
)
classes = st.fixed_dictionaries(
    {
        "capacity": st.sampled_from([1, 4, 4, 12]),
        "party": st.sampled_from([1, 1, 2, 5]),
        "kinds": st.sampled_from([[], ["studio"], ["studio"], ["chair", "studio"]]),
    }
)


@st.composite
def shared_worlds(draw):
    """A world whose bookings are sessions in part, with resources that they have."""
    world, day = draw(worlds())
    for name, value in draw(classes).items():
        setattr(world, name, value)
    noon = first_reading(world.zone, day, 720)
    if draw(st.booleans()):
        # Only classes and resources restrict this day.
        world.hours, world.breaks, world.overrides = [(n, 0, 1440) for n in range(7)], [], []
        world.closures, world.time_off = [], []
        world.now, world.notice, world.cap = noon - 2000, 0, None
    if world.capacity > 1:
        private = []
        for row in world.busy:
            parties = draw(st.lists(st.sampled_from([1, 1, 2, 3]), max_size=3))
            world.sessions += [(*row, party) for party in parties]
            private += [] if parties else [row]
        world.busy = private
    starts = sorted({row[0] for row in world.sessions})
    assigned: set[tuple[str, int]] = set()
    for kind, capacity, hours, away, busy, numbers in draw(resources):
        sessions = {starts[number] for number in numbers if number < len(starts)}
        sessions = {start for start in sessions if (kind, start) not in assigned}
        assigned |= {(kind, start) for start in sessions}
        resource = Resource(kind, capacity, sessions=sessions)
        if hours is not None:
            resource.hours = [(weekday, *hours) for weekday in range(7)]
        resource.away = [(noon + begin, noon + begin + length) for begin, length in away]
        begin = noon - 700
        for gap, length in busy:
            begin += gap + 1
            if begin not in sessions:
                resource.busy.append((begin, begin, begin + length))
            begin += length
        world.resources.append(resource)
    return world, day


@st.composite
def worlds_without_staff(draw):
    """A world whose service needs no staff: a table, or a class in a studio."""
    world, day = draw(shared_worlds())
    world.needs_staff = False
    world.kinds = world.kinds or ["studio"]
    world.hours, world.breaks, world.overrides, world.time_off = [], [], [], []
    world.busy, world.cap = [], None
    if draw(st.booleans()):
        # Every session has what it requires, and a second one could begin beside it.
        for kind in world.kinds:
            begun = {row[0] for row in world.sessions}
            for resource in world.resources:
                begun -= resource.sessions if resource.kind == kind else set()
            world.resources += [Resource(kind, 12, sessions=begun), Resource(kind, 12)]
    return world, day


class TestAgainstTheOracle:
    @pytest.mark.timeout(400)
    @hypothesis_settings(
        max_examples=examples(2_500, quick=150),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(shared_worlds())
    def test_classes_and_resources_agree_with_the_oracle(self, world_and_day):
        world, day = world_and_day
        self.check(world, day, around=9 if len(world.hours) > 6 else 4)

    @pytest.mark.timeout(400)
    @hypothesis_settings(
        max_examples=examples(2_500, quick=150),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds_without_staff())
    def test_services_without_staff_agree_with_the_oracle(self, world_and_day):
        self.check(*world_and_day, around=9)

    def check(self, world: World, day, around: int) -> None:
        oracle = Oracle(world, day, day, around)
        starts, rules, resources, spans = engine(world, day)
        slots = slots_within([starts], rules, spans)
        assert [slot // 60 for slot in slots] == oracle.slots()
        minutes = oracle.minutes()
        tried = {*minutes[:: max(1, len(minutes) // 97)], *(row[0] for row in world.sessions)}
        for minute in tried.intersection(minutes):
            assert is_bookable(starts, minute * 60) == oracle.is_bookable(minute)
        for start in slots:
            if start in starts.seats:
                assert starts.seats[start] == oracle.seats_left(start // 60)
            elif resources is not None:
                chosen = tuple(one[0] for one in resources.options(start))
                _check_choice(world, chosen, start // 60)


def _check_choice(world: World, chosen: tuple[int, ...], minute: int) -> None:
    """One resource of each kind, the smallest of those that are large enough."""
    own = [world.resources[number] for number in chosen]
    assert sorted(resource.kind for resource in own) == sorted(world.kinds)
    for resource in own:
        assert resource.capacity >= max(world.capacity, world.party)
        assert not any(start == minute for start, _, _ in resource.busy)


HOUR = 3600


class TestReasons:
    """Of a service without staff: the first rule that leaves no resource."""

    @pytest.mark.parametrize(
        ("hour", "reason"),
        ((0, "closed"), (2, "holiday"), (3, "time_off"), (4, "fully_booked"), (5, None)),
    )
    def test_name_the_rule_that_no_table_obeys(self, hour, reason):
        away, busy = (3 * HOUR, 4 * HOUR), (4 * HOUR, 4 * HOUR, 5 * HOUR)
        small = ResourceTime(1, "table", 2, [(HOUR, 9 * HOUR)], [away], [busy])
        large = ResourceTime(2, "table", 4, [(2 * HOUR, 9 * HOUR)], [(0, 9 * HOUR)])
        closed = [(2 * HOUR, 3 * HOUR)]
        span = (0, 10 * HOUR)
        tables = ResourceStarts([small, large], ["table"], RULES, span, closed)
        grid = tables.windows()
        starts = without_staff(tables, RULES, span, grid=grid, full=(), sessions={})
        assert grid == [(HOUR, 9 * HOUR)]
        assert reason_at(starts, RULES, hour * HOUR) == reason
        day = (hour * HOUR, hour * HOUR + 60)
        assert reason is None or reason_of_day(day, [starts], RULES) == reason


class TestResourceStarts:
    def starts(self, *resources, kinds=("table",), party=1):
        rules = replace(RULES, party_size=party)
        return ResourceStarts(resources, kinds, rules, (0, 10 * HOUR))

    def table(self, number: int, capacity: int, *busy: int, kind="table") -> ResourceTime:
        ranges = [(start * HOUR, start * HOUR, (start + 1) * HOUR) for start in busy]
        return ResourceTime(number, kind, capacity, [_ALWAYS], (), ranges)

    @pytest.mark.parametrize(
        ("party", "hour", "chosen"),
        ((1, 0, 3), (2, 0, 3), (2, 5, 1), (3, 0, 1), (5, 0, 4), (6, 0, 4)),
    )
    def test_choose_the_smallest_that_fits_then_the_lowest_id(self, party, hour, chosen):
        tables = (
            self.table(4, 6),
            self.table(1, 4),
            self.table(2, 4),
            self.table(3, 2, 5),
        )
        [options] = self.starts(*tables, party=party).options(hour * HOUR)
        assert options[0] == chosen

    @pytest.mark.parametrize(("party", "missing"), ((4, None), (5, "table")))
    def test_name_a_kind_that_is_never_large_enough(self, party, missing):
        tables = (self.table(1, 4), self.table(2, 9, kind="studio"))
        found = self.starts(*tables, kinds=("studio", "table"), party=party)
        assert found.missing_kind() == missing
        assert (found.free == []) == (missing is not None)


def test_intersection_is_what_is_in_both():
    assert intersection([(0, 4), (6, 9)], [(1, 2), (3, 7), (8, 20)]) == [
        (1, 2), (3, 4), (6, 7), (8, 9),
    ]  # fmt: skip
    assert intersection([], [(1, 2)]) == intersection([(1, 2)], [(2, 3)]) == []
