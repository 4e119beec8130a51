"""Days and times as people say them, on Monday, November 30, 2026."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaivox.agents.dates import (
    Days,
    NotUnderstood,
    parse_days,
    parse_moment,
    parse_time,
    part_of_day,
)

pytestmark = pytest.mark.once

TODAY = date(2026, 11, 30)


class TestDays:
    @pytest.mark.parametrize(
        ("text", "day"),
        (
            ("today", "2026-11-30"),
            ("Tomorrow", "2026-12-01"),
            ("the day after tomorrow", "2026-12-02"),
            ("yesterday", "2026-11-29"),
            ("monday", "2026-11-30"),
            ("next Monday", "2026-12-07"),
            ("tuesday", "2026-12-01"),
            ("next Tuesday", "2026-12-01"),
            ("this friday", "2026-12-04"),
            ("on wed", "2026-12-02"),
            ("thurs", "2026-12-03"),
            ("Friday next week", "2026-12-11"),
            ("in 3 days", "2026-12-03"),
            ("in two weeks", "2026-12-14"),
            ("2026-12-05", "2026-12-05"),
            ("2024-01-05", "2024-01-05"),
            ("5 december", "2026-12-05"),
            ("December 5th", "2026-12-05"),
            ("the 5th of December 2027", "2027-12-05"),
            ("Tuesday, December 1", "2026-12-01"),
            ("the 5th", "2026-12-05"),
            ("30", "2026-11-30"),
            ("September 3", "2027-09-03"),
            ("05/12", "2026-12-05"),
            ("15.12.2026", "2026-12-15"),
            ("12/25", "2026-12-25"),
            ("tomorrow morning", "2026-12-01"),
            ("tuesday in the afternoon", "2026-12-01"),
            ("hoy", "2026-11-30"),
            ("mañana", "2026-12-01"),
            ("pasado mañana", "2026-12-02"),
            ("el próximo lunes", "2026-12-07"),
            ("el miércoles", "2026-12-02"),
            ("martes que viene", "2026-12-01"),
            ("3 de diciembre", "2026-12-03"),
        ),
    )
    def test_are_understood(self, text, day):
        assert parse_days(text, TODAY) == Days(date.fromisoformat(day), date.fromisoformat(day))

    @pytest.mark.parametrize(
        ("text", "first", "last"),
        (
            ("this week", "2026-11-30", "2026-12-06"),
            ("next week", "2026-12-07", "2026-12-13"),
            ("this weekend", "2026-12-05", "2026-12-06"),
            ("next weekend", "2026-12-12", "2026-12-13"),
            ("la próxima semana", "2026-12-07", "2026-12-13"),
        ),
    )
    def test_may_be_several(self, text, first, last):
        expected = Days(date.fromisoformat(first), date.fromisoformat(last))
        assert parse_days(text, TODAY) == expected

    @pytest.mark.parametrize("text", ("next", "ASAP", "the next available", "as soon as possible"))
    def test_may_be_any(self, text):
        assert parse_days(text, TODAY).soonest

    def test_are_read_as_the_country_writes_them(self):
        assert parse_days("12/05", TODAY, month_first=True).first == date(2026, 12, 5)

    @pytest.mark.parametrize(
        "text",
        (
            "",
            "blah",
            "31/02",
            "2026-13-01",
            "in 99999999 days",
            f"in {'9' * 5000} days",
            "9999-12-31",
            "0001-01-01",
            "december",
            "१",
        ),
    )
    def test_that_are_none_are_rejected(self, text):
        with pytest.raises(NotUnderstood):
            parse_days(text, TODAY)

    @given(st.text(max_size=60))
    def test_of_any_text_are_found_or_rejected(self, text):
        for parse in (
            lambda: parse_days(text, TODAY),
            lambda: parse_moment(text, TODAY),
            lambda: parse_time(text),
            lambda: part_of_day(text),
        ):
            try:
                parse()
            except NotUnderstood:
                continue

    @given(
        st.from_regex(
            r"\d{1,5}[-/. :T]\d{1,3}[-/. :T]?\d{0,4}([T ]\d{1,2}:\d{2}[Z+-]?\d{0,4})?",
            fullmatch=True,
        )
    )
    def test_of_any_figures_are_found_or_rejected(self, text):
        for parse in (parse_days, parse_moment):
            try:
                parse(text, TODAY)
            except NotUnderstood:
                continue


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "clock"),
        (
            ("15:30", time(15, 30)),
            ("3pm", time(15)),
            ("3 p.m.", time(15)),
            ("9:00 AM", time(9)),
            ("12 am", time(0)),
            ("12 pm", time(12)),
            ("noon", time(12)),
            ("half past 3", time(15, 30)),
            ("half past 10", time(10, 30)),
            ("10 o'clock", time(10)),
            ("3", time(15)),
            ("10", time(10)),
            ("around 4 pm", time(16)),
            ("a las 9 de la mañana", time(9)),
            ("a las 12 de la mañana", time(12)),
            ("12 de la noche", time(0)),
            ("3 de la tarde", time(15)),
        ),
    )
    def test_are_understood(self, text, clock):
        assert parse_time(text) == clock

    @pytest.mark.parametrize("text", ("", "25:00", "10:75", "soon", "٣"))
    def test_that_are_none_are_rejected(self, text):
        with pytest.raises(NotUnderstood):
            parse_time(text)


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "day", "clock"),
        (
            ("2026-12-01 15:30", "2026-12-01", time(15, 30)),
            ("2026-12-01T15:30", "2026-12-01", time(15, 30)),
            ("2026-12-01 3pm", "2026-12-01", time(15)),
            ("tomorrow at 3 pm", "2026-12-01", time(15)),
            ("3pm tomorrow", "2026-12-01", time(15)),
            ("next friday at noon", "2026-12-04", time(12)),
            ("December 1 at 3:30 PM", "2026-12-01", time(15, 30)),
            ("mañana a las 10", "2026-12-01", time(10)),
        ),
    )
    def test_are_local(self, text, day, clock):
        moment = parse_moment(text, TODAY)
        assert (moment.day, moment.clock, moment.instant) == (date.fromisoformat(day), clock, None)

    @pytest.mark.parametrize(
        "text",
        ("2026-12-01T15:30:00+05:30", "2026-12-01T15:30:00 05:30", "2026-12-01T10:00:00Z"),
    )
    def test_with_an_offset_are_instants(self, text):
        assert parse_moment(text, TODAY).instant == datetime(2026, 12, 1, 10, tzinfo=UTC)

    @pytest.mark.parametrize(
        "text",
        (
            "tomorrow",
            "next week 10:00",
            "0001-01-01T00:00:00+14:00",
            "2026-12-01T03.5Z",
            "2026-12-01T03.5",
            "0001-01-01T00:00-14:00",
            "9999-12-31 10:00",
            "",
        ),
    )
    def test_that_are_none_are_rejected(self, text):
        with pytest.raises(NotUnderstood):
            parse_moment(text, TODAY)


class TestPartOfDay:
    @pytest.mark.parametrize(
        ("text", "part"),
        (
            ("tomorrow morning", "morning"),
            ("Afternoon", "afternoon"),
            ("tonight", "evening"),
            ("por la tarde", "afternoon"),
            ("tomorrow", None),
            ("mañana", None),
        ),
    )
    def test_is_the_last_word(self, text, part):
        assert part_of_day(text) == part
