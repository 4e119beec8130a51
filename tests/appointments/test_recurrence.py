"""Dates of a series, from tables."""

from __future__ import annotations

from datetime import date

import pytest

from appointments.series.recurrence import MAX_OCCURRENCES, Frequency, Recurrence, dates_of

FIRST = date(2026, 1, 29)  # a Thursday


@pytest.mark.parametrize(
    ("rule", "dates"),
    (
        (Recurrence(Frequency.DAILY, 3, number=3), ["01-29", "02-01", "02-04"]),
        (Recurrence(Frequency.DAILY, 3, until=date(2026, 2, 4)), ["01-29", "02-01", "02-04"]),
        (Recurrence(Frequency.DAILY, 3, until=date(2026, 2, 3)), ["01-29", "02-01"]),
        (Recurrence(Frequency.DAILY, until=date(2026, 1, 28)), []),
        (Recurrence(Frequency.WEEKLY, 2, number=3), ["01-29", "02-12", "02-26"]),
        # Weeks begin on Monday; the Tuesday of the first one is before the first appointment.
        (Recurrence(Frequency.WEEKLY, 2, (1, 3), 4), ["01-29", "02-10", "02-12", "02-24"]),
        (Recurrence(Frequency.WEEKLY, 1, (3, 6), 3), ["01-29", "02-01", "02-05"]),
        (Recurrence(Frequency.MONTHLY, 1, number=3), ["01-29", None, "03-29"]),
        (Recurrence(Frequency.MONTHLY, 1, until=date(2026, 2, 27)), ["01-29"]),
        (Recurrence(Frequency.MONTHLY, 1, until=date(2026, 2, 28)), ["01-29", None]),
        (Recurrence(Frequency.MONTHLY, 6, number=2), ["01-29", "07-29"]),
    ),
)
def test_dates_of_a_rule(rule, dates):
    shown = [day and f"{day:%m-%d}" for day in dates_of(rule, FIRST)]
    assert shown == dates


def test_dates_are_one_more_than_a_series_may_have():
    rule = Recurrence(Frequency.DAILY, until=date(2199, 1, 1))
    assert len(dates_of(rule, FIRST)) == MAX_OCCURRENCES + 1
