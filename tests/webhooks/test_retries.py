"""Retry schedule and `Retry-After`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.retries import parse_retry_after, seconds_until_retry

pytestmark = pytest.mark.once

SCHEDULE = (30, 300, 3600)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestSecondsUntilRetry:
    @pytest.mark.parametrize(("failures", "step"), ((1, 30), (2, 300), (3, 3600)))
    @pytest.mark.parametrize(("fraction", "factor"), ((0, 0.8), (0.5, 1), (1, 1.2)))
    def test_varies_each_step_by_a_fifth(self, failures, step, fraction, factor):
        wait = seconds_until_retry(failures, SCHEDULE, random_fraction=fraction)
        assert wait == pytest.approx(step * factor)

    def test_is_none_after_the_last_step(self):
        assert seconds_until_retry(4, SCHEDULE) is None

    @pytest.mark.parametrize(
        ("asked", "wait"), ((0, 300), (299, 300), (900, 900), (3600, 3600), (86_400, 3600))
    )
    def test_limits_retry_after_to_between_the_step_and_an_hour(self, asked, wait):
        assert seconds_until_retry(2, SCHEDULE, retry_after=asked, random_fraction=0) == wait

    @given(
        st.integers(1, 5),
        st.lists(st.floats(0, 86_400), min_size=1, max_size=4),
        st.none() | st.floats(0, 1e9),
    )
    def test_is_never_earlier_than_four_fifths_of_the_step(self, failures, schedule, retry_after):
        wait = seconds_until_retry(failures, schedule, retry_after=retry_after)
        if failures > len(schedule):
            assert wait is None
        else:
            assert wait >= schedule[failures - 1] * 0.799
            assert wait <= max(schedule[failures - 1] * 1.201, 3600)


class TestParseRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        (
            ("120", 120),
            (" 7 ", 7),
            ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
            ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
            ("9" * 40, 999_999_999),
            ("Sun, 01 Mar 99999999999999999999 12:01:30 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 -1200", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
            ("\x00", None),
        ),
    )
    def test_reads_only_seconds_and_dates(self, value, seconds):
        assert parse_retry_after(value, NOW) == seconds

    @given(
        st.integers(-1, 10**25),
        st.integers(-1, 40),
        st.integers(-1, 70),
        st.sampled_from(("GMT", "-0000", "+1400", "-1400", "-9999", "+" + "9" * 12, "")),
    )
    def test_never_raises(self, year, day, hour, zone):
        seconds = parse_retry_after(f"Sun, {day:02} Mar {year} {hour:02}:00:00 {zone}", NOW)
        assert seconds is None or seconds >= 0
