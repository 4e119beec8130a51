"""Local times on days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from staff.local_time import LocalDays, instant_of, is_skipped

pytestmark = pytest.mark.once


def shown(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat()[:16]


class TestInstantOf:
    @pytest.mark.parametrize(
        ("zone", "local", "instant"),
        (
            ("Asia/Kolkata", "2026-03-02T09:30", "2026-03-02T04:00"),
            ("Asia/Kathmandu", "2026-03-02T09:30", "2026-03-02T03:45"),
            # Set forward: the instant of the jump.
            ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00"),
            ("America/New_York", "2026-03-08T02:59", "2026-03-08T07:00"),
            ("America/New_York", "2026-03-08T03:00", "2026-03-08T07:00"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),
            ("America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00"),
            ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),
            # Set back: the first time.
            ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
            ("America/Havana", "2026-11-01T00:00", "2026-11-01T04:00"),
            ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
        ),
    )
    def test_is_the_first_reading_or_the_jump(self, zone, local, instant):
        assert shown(instant_of(ZoneInfo(zone), datetime.fromisoformat(local))) == instant

    @pytest.mark.parametrize(
        ("local", "skipped"),
        (
            ("2026-03-08T01:59", False),
            ("2026-03-08T02:00", True),
            ("2026-03-08T02:59", True),
            ("2026-03-08T03:00", False),
            ("2026-11-01T01:30", False),
        ),
    )
    def test_skipped_times_are_known(self, local, skipped):
        assert is_skipped(ZoneInfo("America/New_York"), datetime.fromisoformat(local)) == skipped


class TestLocalDays:
    @pytest.mark.parametrize(
        ("zone", "day", "hours"),
        (
            ("Asia/Kolkata", date(2026, 3, 8), 24),
            ("America/New_York", date(2026, 3, 8), 23),
            ("America/New_York", date(2026, 11, 1), 25),
            ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
            ("Pacific/Apia", date(2011, 12, 30), 0),
            ("Africa/Cairo", date(2026, 4, 24), 23),
        ),
    )
    def test_have_the_length_of_their_zone(self, zone, day, hours):
        start, end = LocalDays(ZoneInfo(zone)).bounds(day)
        assert (end - start) / 3600 == hours

    @pytest.mark.parametrize("zone", ("Europe/London", "Australia/Lord_Howe", "Africa/Cairo"))
    def test_the_shortcut_equals_the_general_case(self, zone):
        days = LocalDays(ZoneInfo(zone))
        for number in range(366):
            day = date(2026, 1, 1) + timedelta(days=number)
            for minute in (0, 90, 150, 720, 1440):
                local = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
                assert days.instant(day, minute) == instant_of(days.zone, local)
