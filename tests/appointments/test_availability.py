"""Availability against a brute-force oracle, and its functions by tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from appointments.availability import (
    BookingRules,
    StaffCalendar,
    UnavailabilityReason,
    by_start,
    is_bookable,
    reason_at,
    reason_of_day,
    slots_of,
    slots_within,
    starts_of,
)
from appointments.daily_cap import full_days
from staff.hours import (
    ClosedPeriod,
    Schedule,
    closed_ranges,
    grid_segments,
    overrides_by_date,
    weekly_hours,
    working_windows,
)
from staff.intervals import merged
from staff.local_time import LocalDays
from tests.appointments.oracle import Oracle, World, first_reading
from tests.effort import examples

pytestmark = pytest.mark.once

# (zone, day): days on which the clocks change, and others.
DAYS = [
    ("Asia/Kolkata", date(2026, 3, 2)),  # no daylight saving, half an hour off
    ("Asia/Kathmandu", date(2026, 5, 5)),  # three quarters
    ("UTC", date(2026, 7, 1)),
    ("America/New_York", date(2026, 3, 8)),  # 02:00 → 03:00
    ("America/New_York", date(2026, 11, 1)),  # 02:00 → 01:00
    ("Europe/London", date(2026, 3, 29)),
    ("Europe/London", date(2026, 10, 25)),
    ("Australia/Sydney", date(2026, 10, 4)),
    ("Australia/Sydney", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Pacific/Chatham", date(2026, 9, 27)),  # 02:45 → 03:45
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("America/Santiago", date(2026, 9, 6)),  # midnight → 01:00
    ("America/Havana", date(2026, 11, 1)),  # 01:00 → 00:00: midnight comes twice
    ("Africa/Cairo", date(2026, 4, 24)),  # midnight → 01:00
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Pacific/Auckland", date(2026, 4, 5)),
]


def engine(world: World, first: date, last: date):
    """The product's starts and rules for a world of the oracle."""
    _, rules, starts, _ = engine_parts(world, first, last)
    return starts, rules


def engine_parts(world: World, first: date, last: date):
    """The calendar, rules, starts and local days for a world; the starts know no classes."""
    days = LocalDays(ZoneInfo(world.zone))
    schedule = Schedule(weekly_hours(world.hours, world.breaks), overrides_by_date(world.overrides))
    around = timedelta(days=9)
    windows = working_windows(schedule, days, first - around, last + around)
    rows = [*world.busy, *(row[:3] for row in world.sessions)]
    full = [
        day
        for starts, cap in (
            ({start for start, _, _ in rows}, world.cap),
            (world.of_service, world.service_cap),
        )
        if cap is not None
        for day in full_days([start * 60 for start in starts], cap, days)
    ]
    calendar = StaffCalendar(
        windows=windows,
        grid=grid_segments(windows, days),
        closed=closed_ranges([ClosedPeriod(*row) for row in world.closures], days),
        away=merged((start * 60, end * 60) for start, end in world.time_off),
        busy=sorted((start * 60, end * 60) for _, start, end in rows),
        full=merged(full),
    )
    today = days.day_of(world.now * 60)
    rules = BookingRules(
        duration=world.duration * 60,
        buffer_before=world.before * 60,
        buffer_after=world.after * 60,
        interval=world.interval * 60,
        now=world.now * 60,
        earliest=(world.now + world.notice) * 60,
        latest=days.bounds(today + timedelta(days=world.horizon_days))[1],
        capacity=world.capacity,
        party_size=world.party,
    )
    return calendar, rules, starts_of(calendar, rules, days.range_of(first, last)), days


# --- Worlds --------------------------------------------------------------------------------------

clocks = st.one_of(
    st.sampled_from([0, 60, 90, 120, 150, 165, 180, 540, 600, 1020, 1380, 1440]),
    st.integers(0, 1440),
)
windows = st.tuples(clocks, clocks).map(lambda pair: _in_order(*pair))


def _in_order(one: int, other: int) -> tuple[int, int]:
    """Two wall times as a window; of one time twice, a minute."""
    start, end = sorted((min(one, 1439), other))
    return (start, end) if start < end else (start, start + 1)


# One draw each: with 5,000 worlds drawing is most of the work.
rule_values = st.fixed_dictionaries(
    {
        "duration": st.sampled_from([30, 15, 45, 60, 1, 600, 1440]),
        "before": st.sampled_from([0, 5, 30]),
        "after": st.sampled_from([0, 10, 45]),
        "interval": st.sampled_from([15, 5, 20, 50, 60]),
        "notice": st.sampled_from([0, 30, 2000]),
        "horizon_days": st.sampled_from([365, 1, 2]),
        "cap": st.sampled_from([None, 1, 2]),
        "service_cap": st.sampled_from([None, None, 1, 2]),
    }
)
near = st.integers(-1, 1)
schedules = st.tuples(
    st.lists(st.tuples(near, windows), max_size=4),  # hours
    st.lists(st.tuples(near, windows), max_size=1),  # breaks
    st.lists(st.tuples(near, st.none() | windows), max_size=1),  # overrides
    st.lists(st.tuples(near, st.integers(0, 1), windows), max_size=1),  # closures
    st.lists(st.tuples(st.integers(-1500, 1500), st.integers(1, 900)), max_size=1),  # time off
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 120)), max_size=5),  # bookings
)


@st.composite
def worlds(draw):
    """A world, and the day whose slots are compared."""
    zone, day = draw(st.sampled_from(DAYS))
    hours, breaks, overrides, closures, away, bookings = draw(schedules)
    noon = first_reading(zone, day, 720)
    world = World(zone=zone, now=noon + draw(st.integers(-6000, 1500)), **draw(rule_values))
    world.hours = [((day.weekday() + by) % 7, *window) for by, window in hours]
    if draw(st.integers(0, 19)) == 0:
        world.hours = [(weekday, 0, 1440) for weekday in range(7)]
    world.breaks = [((day.weekday() + by) % 7, *window) for by, window in breaks]
    world.overrides = [
        (day + timedelta(days=by), *(window or (None, None))) for by, window in overrides
    ]
    world.closures = [
        (day + timedelta(days=by), day + timedelta(days=by + more), *window)
        for by, more, window in closures
    ]
    world.time_off = [(noon + begin, noon + begin + length) for begin, length in away]
    free_from = noon - 1500
    for gap, length in bookings:
        begin = free_from + gap
        free_from = begin + length + world.before + world.after
        world.busy.append((begin + world.before, begin, free_from))
    # All of these appointments are of the service, and one more is with someone else.
    elsewhere = [noon + gap for gap, _ in bookings[:1]]
    world.of_service = [start for start, _, _ in world.busy] + elsewhere
    return world, day


class TestAgainstTheOracle:
    @pytest.mark.timeout(400)
    # The suite runs in two profiles: 5,000 worlds in all.
    @hypothesis_settings(
        max_examples=examples(5_000, quick=200),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds(), st.sampled_from([0, 0, 0, 1]))
    def test_slots_and_bookable_starts_agree_with_the_oracle(self, world_and_day, more):
        world, day = world_and_day
        last = day + timedelta(days=more)
        # Without round-the-clock hours people work on three days next to each other at most.
        oracle = Oracle(world, day, last, around=9 if len(world.hours) > 6 else 4)
        starts, rules = engine(world, day, last)
        days = LocalDays(ZoneInfo(world.zone))
        spans = [days.bounds(day + timedelta(days=number)) for number in range(more + 1)]
        slots = slots_within([starts], rules, spans)
        assert [slot // 60 for slot in slots] == oracle.slots()
        minutes = oracle.minutes()
        for minute in minutes[:: max(1, len(minutes) // 97)]:
            assert is_bookable(starts, minute * 60) == oracle.is_bookable(minute)
            assert (reason_at(starts, rules, minute * 60) is None) == oracle.is_bookable(minute)


# --- Tables --------------------------------------------------------------------------------------


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


HOUR, DAY = 3600, 86_400
NOON = utc("2026-07-01T12:00")
RULES = BookingRules(
    duration=HOUR, buffer_before=0, buffer_after=0, interval=1800, now=0, earliest=0
)
ANY_TIME = (0, 2**40)


def at(*hours: float) -> list[tuple[int, int]]:
    """Ranges of hours after noon: `at(0, 4)` is 12:00 to 16:00."""
    points = [NOON + int(hour * HOUR) for hour in hours]
    return list(zip(points[::2], points[1::2], strict=True))


def shown(slots: list[int]) -> list[float]:
    return [(slot - NOON) / HOUR for slot in slots]


class TestSlots:
    def slots(self, calendar: StaffCalendar, **changes) -> list[float]:
        calendar.grid = calendar.grid or calendar.windows
        changed = BookingRules(**{name: getattr(RULES, name) for name in RULES.__slots__} | changes)
        return shown(slots_of(starts_of(calendar, changed, ANY_TIME), changed))

    def test_fill_a_window_to_its_last_minute(self):
        assert self.slots(StaffCalendar(at(0, 2.5))) == [0, 0.5, 1, 1.5]

    def test_go_round_a_booking(self):
        assert self.slots(StaffCalendar(at(0, 4), busy=at(1, 2))) == [0, 2, 2.5, 3]

    def test_keep_both_buffers_clear_of_a_booking(self):
        calendar = StaffCalendar(at(0, 5), busy=at(2, 3))
        slots = self.slots(calendar, interval=900, buffer_before=600, buffer_after=1200)
        assert slots == [0, 0.25, 0.5, 3.25, 3.5, 3.75, 4]

    def test_need_no_working_hours_for_buffers(self):
        calendar = StaffCalendar(at(0, 1))
        assert self.slots(calendar, buffer_before=1800, buffer_after=1800) == [0]

    def test_keep_to_the_grid_of_their_window(self):
        assert self.slots(StaffCalendar(at(0.25, 2, 3, 4.5))) == [0.25, 0.75, 3, 3.5]

    def test_stay_on_the_grid_after_time_off(self):
        assert self.slots(StaffCalendar(at(0, 3), away=at(0.2, 0.7))) == [1, 1.5, 2]

    def test_end_where_the_daily_cap_is_reached(self):
        assert self.slots(
            StaffCalendar(at(0, 2, 24, 25)),
        ) == [0, 0.5, 1, 24]
        assert self.slots(StaffCalendar(at(0, 2, 24, 25), full=at(-12, 12))) == [24]

    def test_begin_with_the_notice_and_end_with_the_horizon(self):
        limits = {"earliest": NOON + HOUR, "latest": NOON + 2 * HOUR}
        assert self.slots(StaffCalendar(at(0, 9)), **limits) == [1, 1.5]

    def test_are_none_where_the_service_fits_nowhere(self):
        assert self.slots(StaffCalendar(at(0, 0.9, 1, 1.9))) == []


class TestReasonAt:
    """Which rule is named, where several reject a start."""

    CALENDAR = StaffCalendar(
        at(0, 10), closed=at(1, 2), away=at(3, 4), busy=at(5, 6), full=at(20, 30)
    )

    @pytest.mark.parametrize(
        ("hour", "reason"),
        (
            (-30, UnavailabilityReason.PAST),
            (-3, UnavailabilityReason.TOO_SOON),
            (-0.5, UnavailabilityReason.CLOSED),
            (9.5, UnavailabilityReason.CLOSED),
            (0, None),
            (0.5, UnavailabilityReason.HOLIDAY),
            (1, UnavailabilityReason.HOLIDAY),
            (2, None),
            (3.5, UnavailabilityReason.TIME_OFF),
            (4, None),
            (4.5, UnavailabilityReason.FULLY_BOOKED),
            (6, None),
            (40, UnavailabilityReason.BEYOND_HORIZON),
        ),
    )
    def test_is_the_first_rule_that_rejects_the_start(self, hour, reason):
        rules = BookingRules(HOUR, 0, 0, 1800, NOON - DAY, NOON - 2 * HOUR, NOON + 30 * HOUR)
        start = NOON + int(hour * HOUR)
        assert reason_at(starts_of(self.CALENDAR, rules, ANY_TIME), rules, start) == reason


class TestReasonOfDay:
    @pytest.mark.parametrize(
        ("calendar", "reason"),
        (
            (StaffCalendar([]), UnavailabilityReason.CLOSED),
            (StaffCalendar(at(0, 0.5)), UnavailabilityReason.CLOSED),
            (StaffCalendar(at(0, 4), closed=at(-1, 5)), UnavailabilityReason.HOLIDAY),
            (
                StaffCalendar(at(0, 4), closed=at(0, 2), away=at(2, 4)),
                UnavailabilityReason.TIME_OFF,
            ),
            (StaffCalendar(at(0, 4), busy=at(0.5, 3.5)), UnavailabilityReason.FULLY_BOOKED),
            (StaffCalendar(at(0, 4), full=at(-12, 12)), UnavailabilityReason.FULLY_BOOKED),
        ),
    )
    def test_is_the_first_rule_that_leaves_no_time(self, calendar, reason):
        starts = starts_of(calendar, RULES, ANY_TIME)
        assert reason_of_day(at(-12, 12)[0], [starts], RULES) == reason

    @pytest.mark.parametrize(
        ("now", "notice", "horizon", "reason"),
        (
            (13, 0, 99, UnavailabilityReason.PAST),  # the whole day
            (8, 0, 99, UnavailabilityReason.PAST),  # it is evening
            (1, 0, 99, UnavailabilityReason.FULLY_BOOKED),  # there would be time, but for a booking
            (1, 9, 99, UnavailabilityReason.TOO_SOON),
            (-30, 0, -12, UnavailabilityReason.BEYOND_HORIZON),
        ),
    )
    def test_knows_what_time_it_is(self, now, notice, horizon, reason):
        moment = NOON + now * HOUR
        rules = BookingRules(
            HOUR, 0, 0, 1800, moment, moment + notice * HOUR, NOON + horizon * HOUR
        )
        starts = starts_of(StaffCalendar(at(0, 4), busy=at(0.5, 3.5)), rules, ANY_TIME)
        assert reason_of_day(at(-12, 12)[0], [starts], rules) == reason

    def test_is_the_last_rule_among_several_people(self):
        everyone = [
            starts_of(calendar, RULES, ANY_TIME)
            for calendar in (StaffCalendar([]), StaffCalendar(at(0, 4), away=at(0, 4)))
        ]
        assert reason_of_day(at(-12, 12)[0], everyone, RULES) == UnavailabilityReason.TIME_OFF


def test_by_start_joins_people_in_order():
    assert by_start([[30, 10], [10], [20]]) == {10: [0, 1], 20: [2], 30: [0]}
