"""Dates of a series: every so many days, weeks or months, in the business's local days.

Pure functions: no database, no clock, no time zone.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice
from typing import Final

from django.db.models import TextChoices

MAX_OCCURRENCES: Final = 52
MAX_INTERVAL: Final = 52


class Frequency(TextChoices):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Every `interval` days, weeks or months from a first date on: `number` dates, or all until the
    day `until`, included; the other one is None. `weekdays` (0 = Monday) are those of a weekly series;
    empty: that of the first date."""

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    number: int | None = None
    until: date | None = None


def dates_of(rule: Recurrence, first: date) -> list[date | None]:
    """The dates of the series from `first` on, in order; None for a month without that day. At most
    one more than MAX_OCCURRENCES, by which the caller sees that there are too many.

    Weeks begin on Monday: every second week counts from that of `first`.
    """
    most = MAX_OCCURRENCES + 1 if rule.number is None else rule.number
    found: list[date | None] = []
    for end, day in islice(_candidates(rule, first), most):
        if rule.until is not None and end > rule.until:
            break
        found.append(day)
    return found


def _candidates(rule: Recurrence, first: date) -> Iterator[tuple[date, date | None]]:
    """Each date, with itself or, where it does not exist, the last day of that month."""
    if rule.frequency == Frequency.MONTHLY:
        for step in count(0, rule.interval):
            year, month = divmod(first.year * 12 + first.month - 1 + step, 12)
            last = monthrange(year, month + 1)[1]
            end = date(year, month + 1, min(first.day, last))
            yield end, end if first.day <= last else None
    elif rule.frequency == Frequency.WEEKLY:
        monday = first - timedelta(days=first.weekday())
        for weeks in count(0, rule.interval):
            for weekday in sorted(rule.weekdays or (first.weekday(),)):
                day = monday + timedelta(weeks=weeks, days=weekday)
                if day >= first:
                    yield day, day
    else:
        for days in count(0, rule.interval):
            day = first + timedelta(days=days)
            yield day, day
