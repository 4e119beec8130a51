"""Computes bookable start times from working hours and busy time. Slots, holds and bookings use it.

Pure functions: no database, no clock, no time zone. Times are half-open ranges of Unix seconds.

For one service and one person a booking is one number, its start. Each rule removes ranges of starts;
what remains answers both questions:

    slots      the points of the grid within these ranges
    bookable   whether one start lies within them

So the two cannot disagree, and the work grows with the number of windows and bookings, not with the
number of candidate starts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from staff.intervals import Range, merged, without

MAX_INSTANT: Final = 2**62


class UnavailabilityReason(StrEnum):
    """Why a day has no slots or a start cannot be booked, as the API names it."""

    CLOSED = "closed"
    HOLIDAY = "holiday"
    TIME_OFF = "time_off"
    FULLY_BOOKED = "fully_booked"
    PAST = "past"
    BEYOND_HORIZON = "beyond_horizon"
    TOO_SOON = "too_soon"


@dataclass(frozen=True, slots=True)
class BookingRules:
    """The rules for booking one service, in seconds.

    A start is in [`earliest`, `latest`): `now` plus the minimum notice, the end of the horizon.
    `capacity` is how many people one start takes, `party_size` how many are to be booked.
    `daily_cap` is the maximum number of appointments of the service `service_id` on a local day. A
    service that does not need staff reserves resources alone.
    """

    duration: int
    buffer_before: int
    buffer_after: int
    interval: int
    now: int
    earliest: int
    latest: int = MAX_INSTANT
    service_id: int = 0
    needs_staff: bool = True
    daily_cap: int | None = None
    capacity: int = 1
    party_size: int = 1

    @property
    def shares_starts(self) -> bool:
        """Whether bookings of the service with the same staff and start are of one class. They always
        are where one person can have no more than one."""
        return self.needs_staff or self.capacity > 1


@dataclass(slots=True)
class StaffCalendar:
    """The time of one member of staff.

    `windows` are the hours at work; the service must fit into one. `grid` are the same, cut where the
    grid restarts (`staff.hours.grid_segments`). `closed` are closures of the business, `away` is time
    off and what calendars elsewhere block, `busy` the blocked ranges of appointments and holds, `full`
    the days on which a daily cap is reached. All are sorted and, except for `busy`, do not overlap.
    """

    windows: Sequence[Range]
    grid: Sequence[Range] = ()
    closed: Sequence[Range] = ()
    away: Sequence[Range] = ()
    busy: Sequence[Range] = ()
    full: Sequence[Range] = ()


@dataclass(frozen=True, slots=True)
class BookableStarts:
    """The starts at which one member of staff can be booked, after each rule: an error names the rule
    that removed the start. After `not_away` come notice and horizon, then busy time and daily cap.
    `closed` are the closures of the business, which come before hours in the order of reasons."""

    in_hours: Sequence[Range]
    not_closed: Sequence[Range]
    not_away: Sequence[Range]
    free: Sequence[Range]
    grid: Sequence[Range]
    seats: Mapping[int, int] = field(default_factory=dict)
    closed: Sequence[Range] = ()


def starts_of(calendar: StaffCalendar, rules: BookingRules, span: Range) -> BookableStarts:
    """The starts within `span` at which this member of staff can be booked (`free`), and what was left
    after each rule before."""
    duration = rules.duration
    in_hours = _fitting(calendar.windows, duration)
    not_closed = in_hours
    if calendar.closed:
        not_closed = _fitting(without(calendar.windows, calendar.closed), duration)
    not_away = not_closed
    if calendar.away:
        out = merged([*calendar.closed, *calendar.away])
        not_away = _fitting(without(calendar.windows, out), duration)
    # A start s blocks [s - before, s + duration + after). It must not overlap [busy_start, busy_end).
    reach, before = duration + rules.buffer_after - 1, rules.buffer_before
    blocked = [(start - reach, end + before) for start, end in calendar.busy]
    if calendar.full:
        blocked.extend(calendar.full)
        blocked.sort()
    lower, upper = max(span[0], rules.earliest), min(span[1], rules.latest)
    free = without(_within(not_away, lower, upper), blocked)
    return BookableStarts(
        in_hours, not_closed, not_away, free, calendar.grid, closed=calendar.closed
    )


def starts_within(starts: BookableStarts, span: Range) -> BookableStarts:
    """`starts` with only what is free within `span`, found by bisection."""
    begin, end = span
    free = starts.free
    # The last range that begins before `begin` may reach into the span.
    first = max(bisect_left(free, (begin, 0)) - 1, 0)
    return replace(starts, free=_within(free[first : bisect_left(free, (end, 0))], begin, end))


def slots_of(starts: BookableStarts, rules: BookingRules) -> list[int]:
    """The bookable points of the grid and the classes that have seats left, in order."""
    found: list[int] = []
    free, interval = starts.free, rules.interval
    at, count = 0, len(free)
    for origin, end in starts.grid:
        while at < count and free[at][1] <= origin:
            at += 1
        step = at
        while step < count and free[step][0] < end:
            first, last = free[step]
            first = max(first, origin)
            found.extend(range(first + (origin - first) % interval, min(last, end), interval))
            step += 1
    if starts.seats:
        found = sorted({*found, *(start for start in starts.seats if contains(free, start))})
    return found


def off_grid_starts(starts: BookableStarts, span: Range) -> list[int]:
    """The first whole minute of each range of bookable starts within `span`.

    Slots has these where no point of the grid is bookable: an appointment that ends off the grid
    leaves a gap that starts when it ends.
    """
    found = []
    for first, last in _within(starts.free, *span):
        minute = -(-first // 60) * 60
        if minute < last:
            found.append(minute)
    return found


def slots_within(
    everyone: Sequence[BookableStarts], rules: BookingRules, spans: Iterable[Range]
) -> dict[int, list[int]]:
    """The slots within each of `spans` (days, or parts of days, in order): for each start the indexes
    of the people who are free. A span without a free point of the grid has starts off the grid."""
    on_grid = by_start(slots_of(starts, rules) for starts in everyone)
    ordered = list(on_grid)
    found: dict[int, list[int]] = {}
    for begin, end in spans:
        inside = ordered[bisect_left(ordered, begin) : bisect_left(ordered, end)]
        if inside:
            found.update((start, on_grid[start]) for start in inside)
        else:
            found.update(by_start(off_grid_starts(starts, (begin, end)) for starts in everyone))
    return found


def is_bookable(starts: BookableStarts, start: int) -> bool:
    """Whether a booking may begin at `start`."""
    return contains(starts.free, start)


def reason_at(
    starts: BookableStarts, rules: BookingRules, start: int
) -> UnavailabilityReason | None:
    """The first rule that makes `start` not bookable, or None where it is bookable."""
    if is_bookable(starts, start):
        return None
    if start < rules.now:
        return UnavailabilityReason.PAST
    if start < rules.earliest:
        return UnavailabilityReason.TOO_SOON
    if start >= rules.latest:
        return UnavailabilityReason.BEYOND_HORIZON
    if not contains(starts.in_hours, start):
        is_holiday = contains(starts.closed, start)
        return UnavailabilityReason.HOLIDAY if is_holiday else UnavailabilityReason.CLOSED
    if not contains(starts.not_closed, start):
        return UnavailabilityReason.HOLIDAY
    if not contains(starts.not_away, start):
        return UnavailabilityReason.TIME_OFF
    return UnavailabilityReason.FULLY_BOOKED


_LEAST_SEVERE_FIRST: Final = (
    UnavailabilityReason.CLOSED,
    UnavailabilityReason.HOLIDAY,
    UnavailabilityReason.TIME_OFF,
    UnavailabilityReason.BEYOND_HORIZON,
    UnavailabilityReason.TOO_SOON,
    UnavailabilityReason.PAST,
    UnavailabilityReason.FULLY_BOOKED,
)


def least_severe(reasons: Iterable[UnavailabilityReason]) -> UnavailabilityReason:
    """Of several people's reasons the one that is closest to being bookable."""
    return max(reasons, key=_LEAST_SEVERE_FIRST.index)


def reason_of_day(
    day: Range, everyone: Iterable[BookableStarts], rules: BookingRules
) -> UnavailabilityReason:
    """Why `day`, or a part of one, has no slot: the first rule after which no start is left on it."""
    start, end = day
    if end <= rules.now:
        return UnavailabilityReason.PAST
    if start >= rules.latest:
        return UnavailabilityReason.BEYOND_HORIZON
    people = list(everyone)
    if not any(touches(person.in_hours, day) for person in people):
        is_holiday = any(not without([day], person.closed) for person in people)
        return UnavailabilityReason.HOLIDAY if is_holiday else UnavailabilityReason.CLOSED
    if not any(touches(person.not_closed, day) for person in people):
        return UnavailabilityReason.HOLIDAY
    if not any(touches(person.not_away, day) for person in people):
        return UnavailabilityReason.TIME_OFF
    for lower, upper, reason in (
        (rules.now, end, UnavailabilityReason.PAST),
        (rules.earliest, end, UnavailabilityReason.TOO_SOON),
        (rules.earliest, min(end, rules.latest), UnavailabilityReason.BEYOND_HORIZON),
    ):
        open_part = (max(start, lower), upper)
        if not any(touches(person.not_away, open_part) for person in people):
            return reason
    return UnavailabilityReason.FULLY_BOOKED


def touches(ranges: Sequence[Range], span: Range) -> bool:
    """Whether any of `ranges` has a point in `span`."""
    start, end = span
    if start >= end:
        return False
    index = bisect_left(ranges, (end, 0)) - 1
    return index >= 0 and ranges[index][1] > start


def by_start(slots_by_staff: Iterable[Sequence[int]]) -> dict[int, list[int]]:
    """For each start, sorted, the indexes of the people who are free then, in order."""
    found: dict[int, list[int]] = {}
    for index, slots in enumerate(slots_by_staff):
        for start in slots:
            if start in found:
                found[start].append(index)
            else:
                found[start] = [index]
    return {start: found[start] for start in sorted(found)}


def _fitting(windows: Sequence[Range], duration: int) -> list[Range]:
    """The starts from which `duration` fits within a window."""
    return [(start, end - duration + 1) for start, end in windows if end - start >= duration]


def _within(ranges: Sequence[Range], lower: int, upper: int) -> list[Range]:
    """`ranges` cut to [lower, upper)."""
    if not ranges or (ranges[0][0] >= lower and ranges[-1][1] <= upper):
        return list(ranges)
    return [
        (max(start, lower), min(end, upper))
        for start, end in ranges
        if end > lower and start < upper
    ]


def contains(ranges: Sequence[Range], point: int) -> bool:
    """Whether `point` is in any of `ranges`."""
    index = bisect_right(ranges, (point, MAX_INSTANT)) - 1
    return index >= 0 and ranges[index][0] <= point < ranges[index][1]
