from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.backoff import parse_retry_after, seconds_until_retry

SCHEDULE = (30, 300, 3600)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestSecondsUntilRetry:
    @pytest.mark.parametrize(("failures", "step"), ((1, 30), (2, 300), (3, 3600)))
    @pytest.mark.parametrize(("chance", "factor"), ((0, 0.8), (0.5, 1), (1, 1.2)))
    def test_varies_each_step_by_a_fifth(self, failures, step, chance, factor):
        wait = seconds_until_retry(failures, SCHEDULE, chance=chance)
        assert wait == pytest.approx(step * factor)

    def test_ends_after_the_last_step(self):
        assert seconds_until_retry(4, SCHEDULE) is None

    @pytest.mark.parametrize(
        ("asked", "wait"), ((0, 300), (299, 300), (900, 900), (3600, 3600), (86_400, 3600))
    )
    def test_takes_retry_after_between_the_step_and_an_hour(self, asked, wait):
        assert seconds_until_retry(2, SCHEDULE, retry_after=asked, chance=0) == wait

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
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
            ("\x00", None),
        ),
    )
    def test_reads_seconds_and_dates_and_nothing_else(self, value, seconds):
        assert parse_retry_after(value, NOW) == seconds
