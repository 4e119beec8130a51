"""Weekly hours, breaks and overrides as windows of time; by tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from kaivox.api.values import parse_wall_time
from staff.hours import (
    ClosedPeriod,
    Schedule,
    closed_ranges,
    grid_segments,
    override_problem,
    overrides_by_date,
    schedule_problem,
    weekly_hours,
    working_windows,
)
from staff.intervals import merged, without
from staff.local_time import LocalDays
from staff.minute_of_day import format_clock

pytestmark = pytest.mark.once

MONDAY = date(2026, 3, 2)
KOLKATA = LocalDays(ZoneInfo("Asia/Kolkata"))


def local(ranges, days=KOLKATA) -> list[str]:
    return [
        " - ".join(datetime.fromtimestamp(point, days.zone).strftime("%a %H:%M") for point in pair)
        for pair in ranges
    ]


class TestClock:
    @pytest.mark.parametrize(("text", "minute"), (("09:30", 570), ("0:00", 0), ("24:00", 1440)))
    def test_reads_wall_times(self, text, minute):
        assert parse_wall_time(text) == minute
        assert parse_wall_time(format_clock(minute)) == minute

    @pytest.mark.parametrize(
        "text", ("24:01", "24:30", "09:60", "9", "", "-1:00", "٠٩:٣٠", "09:30:10")
    )
    def test_rejects_what_no_clock_shows(self, text):
        with pytest.raises(ValueError, match="HH:MM"):
            parse_wall_time(text)


class TestRanges:
    def test_merged_joins_what_touches(self):
        assert merged([(5, 9), (1, 3), (3, 4), (8, 8), (6, 7)]) == [(1, 4), (5, 9)]

    @pytest.mark.parametrize(
        ("holes", "left"),
        (
            ([], [(0, 10), (20, 30)]),
            ([(3, 5)], [(0, 3), (5, 10), (20, 30)]),
            ([(-5, 25)], [(25, 30)]),
            ([(0, 10)], [(20, 30)]),
            ([(9, 21), (29, 40)], [(0, 9), (21, 29)]),
            ([(1, 8), (2, 3), (4, 9)], [(0, 1), (9, 10), (20, 30)]),
        ),
    )
    def test_without_cuts_holes(self, holes, left):
        assert without([(0, 10), (20, 30)], holes) == left


class TestWorkingWindows:
    def windows(self, hours, breaks=(), overrides=(), last=MONDAY):
        schedule = Schedule(weekly_hours(hours, breaks), overrides_by_date(overrides))
        return local(working_windows(schedule, KOLKATA, MONDAY, last))

    def test_exclude_breaks(self):
        windows = self.windows([(0, 540, 1020)], [(0, 780, 840)])
        assert windows == ["Mon 09:00 - Mon 13:00", "Mon 14:00 - Mon 17:00"]

    def test_that_touch_are_one(self):
        assert self.windows([(0, 540, 720), (0, 720, 1020)]) == ["Mon 09:00 - Mon 17:00"]

    def test_that_touch_across_midnight_are_one(self):
        windows = self.windows([(0, 1080, 1440), (1, 0, 120)], last=date(2026, 3, 3))
        assert windows == ["Mon 18:00 - Tue 02:00"]

    def test_are_replaced_by_an_override_with_their_breaks(self):
        windows = self.windows([(0, 540, 1020)], [(0, 660, 690)], [(MONDAY, 600, 720)])
        assert windows == ["Mon 10:00 - Mon 12:00"]

    def test_are_none_on_a_day_off(self):
        assert self.windows([(0, 540, 1020)], (), [(MONDAY, None, None)]) == []

    def test_keep_their_local_times_when_the_clocks_change(self):
        new_york = LocalDays(ZoneInfo("America/New_York"))
        schedule = Schedule({6: [(60, 240)]})
        spring = working_windows(schedule, new_york, date(2026, 3, 8), date(2026, 3, 8))
        autumn = working_windows(schedule, new_york, date(2026, 11, 1), date(2026, 11, 1))
        assert local(spring, new_york) == local(autumn, new_york) == ["Sun 01:00 - Sun 04:00"]
        assert [(end - start) / 3600 for start, end in spring + autumn] == [2, 4]

    def test_inside_a_gap_of_the_clock_are_none(self):
        schedule = Schedule({6: [(120, 180)]})
        new_york = LocalDays(ZoneInfo("America/New_York"))
        assert working_windows(schedule, new_york, date(2026, 3, 8), date(2026, 3, 8)) == []


class TestGridSegments:
    def test_begin_with_their_window(self):
        night = working_windows(
            Schedule({0: [(1080, 1440)], 1: [(0, 120)]}), KOLKATA, MONDAY, date(2026, 3, 3)
        )
        assert grid_segments(night, KOLKATA) == night

    def test_begin_at_each_midnight_when_round_the_clock(self):
        always = Schedule({weekday: [(0, 1440)] for weekday in range(7)})
        windows = working_windows(always, KOLKATA, MONDAY, date(2026, 3, 10))
        segments = grid_segments(windows, KOLKATA)
        assert len(windows) == 1
        assert len(segments) == 9
        assert {moment.split(" - ")[0][4:] for moment in local(segments)} == {"00:00"}


class TestClosedRanges:
    def test_run_from_the_first_day_to_the_last(self):
        period = ClosedPeriod(MONDAY, date(2026, 3, 4), 840, 600)
        assert local(closed_ranges([period], KOLKATA)) == ["Mon 14:00 - Wed 10:00"]

    def test_cover_whole_days_by_default(self):
        start, end = closed_ranges([ClosedPeriod(MONDAY, MONDAY, 0, 1440)], KOLKATA)[0]
        assert (end - start, datetime.fromtimestamp(start, UTC).hour) == (86_400, 18)


class TestProblems:
    @pytest.mark.parametrize(
        ("hours", "breaks", "problem"),
        (
            ([(0, 540, 720), (0, 720, 900)], [], None),
            ([(0, 540, 720), (1, 600, 900)], [(0, 600, 630)], None),
            (
                [(0, 540, 720), (0, 700, 900)],
                [],
                "Monday's hours 09:00-12:00 and 11:40-15:00 overlap.",
            ),
            (
                [(2, 540, 720)],
                [(2, 600, 700), (2, 660, 710)],
                "Wednesday's breaks 10:00-11:40 and 11:00-11:50 overlap.",
            ),
            (
                [(0, 540, 720)],
                [(0, 700, 780)],
                "Monday's break 12:00-13:00 is outside the working hours.",
            ),
            ([], [(4, 0, 60)], "Friday's break 00:00-01:00 is outside the working hours."),
        ),
    )
    def test_of_a_week_are_reported(self, hours, breaks, problem):
        assert schedule_problem(hours, breaks) == problem

    @pytest.mark.parametrize(
        ("rows", "problem"),
        (
            ([(MONDAY, 540, 720), (MONDAY, 780, 900)], None),
            ([(MONDAY, None, None)], None),
            (
                [(MONDAY, None, None), (MONDAY, 540, 600)],
                "2026-03-02 is a day off and has other rows too.",
            ),
            (
                [(MONDAY, 540, 720), (MONDAY, 600, 900)],
                "The hours 09:00-12:00 and 10:00-15:00 of 2026-03-02 overlap.",
            ),
        ),
    )
    def test_of_overrides_are_reported(self, rows, problem):
        assert override_problem(rows) == problem
