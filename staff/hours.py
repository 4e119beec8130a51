"""Computes the working windows of a member of staff from weekly hours, breaks and overrides.

Pure functions: no database, no clock. Minutes are of a local day (0 to 1440), windows are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, NamedTuple

from staff.intervals import Range, first_overlap, merged, without
from staff.local_time import LocalDays
from staff.minute_of_day import format_clock

# A longer window is considered round the clock: its grid restarts at each midnight.
LONGEST_SHIFT: Final = timedelta(days=7)


class ClosedPeriod(NamedTuple):
    """A closure: from a minute of its first day until a minute of its last."""

    first_date: date
    last_date: date
    from_minute: int
    until_minute: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The hours of one member of staff: `weekly` by weekday (0 = Monday), without breaks; `overrides`
    by date, which replace the hours of that day (no windows: a day off)."""

    weekly: Mapping[int, Sequence[Range]] = field(default_factory=dict)
    overrides: Mapping[date, Sequence[Range]] = field(default_factory=dict)

    def on(self, day: date) -> Sequence[Range]:
        """The windows of `day`, in minutes."""
        special = self.overrides.get(day)
        return self.weekly.get(day.weekday(), ()) if special is None else special


def weekly_hours(
    hours: Iterable[tuple[int, int, int]], breaks: Iterable[tuple[int, int, int]] = ()
) -> dict[int, list[Range]]:
    """Windows by weekday from rows of (weekday, start minute, end minute), without the breaks."""
    open_by_day, gaps_by_day = _by_first(hours), _by_first(breaks)
    return {
        weekday: without(merged(windows), merged(gaps_by_day.get(weekday, ())))
        for weekday, windows in open_by_day.items()
    }


def overrides_by_date(
    rows: Iterable[tuple[date, int | None, int | None]],
) -> dict[date, list[Range]]:
    """Windows by date from rows of (date, start minute, end minute); None: a day off."""
    found: dict[date, list[Range]] = {}
    for day, start, end in rows:
        windows = found.setdefault(day, [])
        if start is not None and end is not None:
            windows.append((start, end))
    return {day: merged(windows) for day, windows in found.items()}


def working_windows(schedule: Schedule, days: LocalDays, first: date, last: date) -> list[Range]:
    """The windows of the local days `first` to `last`, in order. Adjacent windows are joined, across
    midnight too: Saturday until 24:00 and Sunday from 00:00 is one window."""
    found: list[Range] = []
    until = None
    for day, midnight, is_plain in days.row(first, last):
        for start, end in schedule.on(day):
            if is_plain:
                opens, closes = midnight + start * 60, midnight + end * 60
            else:
                opens, closes = days.instant(day, start), days.instant(day, end)
            if opens == until:
                found[-1] = (found[-1][0], closes)
            elif opens < closes:
                found.append((opens, closes))
            until = closes
    return found


def grid_segments(windows: Sequence[Range], days: LocalDays) -> list[Range]:
    """`windows` cut where the grid of slots restarts: at the start of each window, and at each midnight
    of one that is round the clock, whose start may be years ago."""
    longest = LONGEST_SHIFT.total_seconds()
    found: list[Range] = []
    for start, end in windows:
        if end - start <= longest:
            found.append((start, end))
        else:
            found.extend(_cut_at_midnights(start, end, days))
    return found


def closed_ranges(closures: Iterable[ClosedPeriod], days: LocalDays) -> list[Range]:
    """Closures as ranges of Unix seconds."""
    return merged(
        (days.instant(c.first_date, c.from_minute), days.instant(c.last_date, c.until_minute))
        for c in closures
    )


def schedule_problem(
    hours: Iterable[tuple[int, int, int]], breaks: Iterable[tuple[int, int, int]]
) -> str | None:
    """A sentence that says why these weekly hours and breaks contradict each other, or None."""
    open_by_day, gaps_by_day = _by_first(hours), _by_first(breaks)
    for by_day, noun in ((open_by_day, "hours"), (gaps_by_day, "breaks")):
        for weekday, ranges in sorted(by_day.items()):
            clash = first_overlap(ranges)
            if clash:
                return f"{_WEEKDAYS[weekday]}'s {noun} {_clock(*clash[0])} and {_clock(*clash[1])} overlap."
    for weekday, gaps in sorted(gaps_by_day.items()):
        outside = without(merged(gaps), merged(open_by_day.get(weekday, ())))
        if outside:
            return (
                f"{_WEEKDAYS[weekday]}'s break {_clock(*outside[0])} is outside the working hours."
            )
    return None


def override_problem(rows: Iterable[tuple[date, int | None, int | None]]) -> str | None:
    """A sentence that says why these overrides contradict each other, or None."""
    by_date: dict[date, list[Range | None]] = {}
    for day, start, end in rows:
        window = None if start is None or end is None else (start, end)
        by_date.setdefault(day, []).append(window)
    for day, windows in sorted(by_date.items()):
        if None in windows and len(windows) > 1:
            return f"{day} is a day off and has other rows too."
        clash = first_overlap(window for window in windows if window is not None)
        if clash:
            return f"The hours {_clock(*clash[0])} and {_clock(*clash[1])} of {day} overlap."
    return None


_WEEKDAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)


def _clock(start: int, end: int) -> str:
    return f"{format_clock(start)}-{format_clock(end)}"


def _by_first(rows: Iterable[tuple[int, int, int]]) -> dict[int, list[Range]]:
    found: dict[int, list[Range]] = {}
    for weekday, start, end in rows:
        found.setdefault(weekday, []).append((start, end))
    return found


def _cut_at_midnights(start: int, end: int, days: LocalDays) -> list[Range]:
    found: list[Range] = []
    day = days.day_of(start)
    while start < end:
        day += timedelta(days=1)
        cut = min(days.midnight(day), end)
        if cut > start:
            found.append((start, cut))
            start = cut
    return found
