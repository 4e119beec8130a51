"""When can this be booked, and if not then, why? The one truth behind slots, holds and bookings.

Pure: no database, no clock, no time zone. Everything is a list of half-open ranges of Unix seconds.
The idea: a booking is one number, its start. Each rule takes start times away. What is left, as
ranges of starts, answers both questions:

    slots      the points of the grid that lie in it
    bookable   whether one start lies in it

So the two can never disagree, and the work grows with the number of windows and bookings, never
with the number of candidate times.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from staff.ranges import Range, merged, without

FOREVER: Final = 2**62


class Reason(StrEnum):
    """Why there is nothing: as the API names it, for a day or for one time."""

    CLOSED = "closed"
    HOLIDAY = "holiday"
    TIME_OFF = "time_off"
    FULLY_BOOKED = "fully_booked"
    PAST = "past"
    BEYOND_HORIZON = "beyond_horizon"
    TOO_SOON = "too_soon"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be booked and by which rules of the business; all in seconds.

    A start may be in [`earliest`, `latest`): `now` and the minimum notice, the horizon.
    """

    duration: int
    buffer_before: int
    buffer_after: int
    interval: int
    now: int
    earliest: int
    latest: int = FOREVER


@dataclass(slots=True)
class Agenda:
    """One member of staff's time.

    `windows`: at work, as whole shifts; the service must fit into one. `grid`: the same, cut where
    the grid begins anew. `closed`: closures of the business. `away`: time off. `busy`: blocked
    ranges of appointments and holds. `full`: days on which the daily cap is reached. All sorted
    and, but for `busy`, without overlaps.
    """

    windows: Sequence[Range]
    grid: Sequence[Range] = ()
    closed: Sequence[Range] = ()
    away: Sequence[Range] = ()
    busy: Sequence[Range] = ()
    full: Sequence[Range] = ()


@dataclass(frozen=True, slots=True)
class Starts:
    """One member of staff's possible starts, as ranges: after each rule, so that a refusal can tell
    which one it was. After `not_away` come the limits of the clock, then what is booked."""

    in_hours: Sequence[Range]
    not_closed: Sequence[Range]
    not_away: Sequence[Range]
    free: Sequence[Range]
    grid: Sequence[Range]


def starts_of(agenda: Agenda, terms: Terms, span: Range) -> Starts:
    """All starts within `span` at which `terms` can be booked with this member of staff (`free`),
    and the steps on the way there."""
    duration = terms.duration
    in_hours = _fitting(agenda.windows, duration)
    not_closed = in_hours
    if agenda.closed:
        not_closed = _fitting(without(agenda.windows, agenda.closed), duration)
    not_away = not_closed
    if agenda.away:
        out = merged([*agenda.closed, *agenda.away])
        not_away = _fitting(without(agenda.windows, out), duration)
    # A start s blocks [s - before, s + duration + after). It must not overlap [busy_start, busy_end).
    reach, before = duration + terms.buffer_after - 1, terms.buffer_before
    taken = [(start - reach, end + before) for start, end in agenda.busy]
    if agenda.full:
        taken.extend(agenda.full)
        taken.sort()
    lower, upper = max(span[0], terms.earliest), min(span[1], terms.latest)
    free = without(_within(not_away, lower, upper), taken)
    return Starts(in_hours, not_closed, not_away, free, agenda.grid)


def slots_of(starts: Starts, terms: Terms) -> list[int]:
    """The points of the grid at which `terms` can be booked, in order."""
    found: list[int] = []
    free, interval = starts.free, terms.interval
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
    return found


def is_bookable(starts: Starts, start: int) -> bool:
    """Whether a booking may begin at `start`."""
    return _holds(starts.free, start)


def refusal_at(starts: Starts, terms: Terms, start: int) -> Reason | None:
    """Why a booking may not begin at `start`, or None if it may."""
    if is_bookable(starts, start):
        return None
    if start < terms.now:
        return Reason.PAST
    if start < terms.earliest:
        return Reason.TOO_SOON
    if start >= terms.latest:
        return Reason.BEYOND_HORIZON
    if not _holds(starts.in_hours, start):
        return Reason.CLOSED
    if not _holds(starts.not_closed, start):
        return Reason.HOLIDAY
    if not _holds(starts.not_away, start):
        return Reason.TIME_OFF
    return Reason.FULLY_BOOKED


def reason_of_day(day: Range, everyone: Iterable[Starts], terms: Terms) -> Reason:
    """Why `day` has no slot with anyone: the first rule that left no start on it."""
    start, end = day
    if end <= terms.now:
        return Reason.PAST
    if start >= terms.latest:
        return Reason.BEYOND_HORIZON
    people = list(everyone)
    if not any(touches(person.in_hours, day) for person in people):
        return Reason.CLOSED
    if not any(touches(person.not_closed, day) for person in people):
        return Reason.HOLIDAY
    if not any(touches(person.not_away, day) for person in people):
        return Reason.TIME_OFF
    for lower, upper, reason in (
        (terms.now, end, Reason.PAST),
        (terms.earliest, end, Reason.TOO_SOON),
        (terms.earliest, min(end, terms.latest), Reason.BEYOND_HORIZON),
    ):
        open_part = (max(start, lower), upper)
        if not any(touches(person.not_away, open_part) for person in people):
            return reason
    return Reason.FULLY_BOOKED


def touches(ranges: Sequence[Range], span: Range) -> bool:
    """Whether any of `ranges` has a point in `span`."""
    start, end = span
    if start >= end:
        return False
    index = bisect_left(ranges, (end, 0)) - 1
    return index >= 0 and ranges[index][1] > start


def by_start(slots_by_staff: Iterable[Sequence[int]]) -> dict[int, list[int]]:
    """Start → indexes of the people who can take it, in the order given; the starts sorted."""
    found: dict[int, list[int]] = {}
    for index, slots in enumerate(slots_by_staff):
        for start in slots:
            if start in found:
                found[start].append(index)
            else:
                found[start] = [index]
    return {start: found[start] for start in sorted(found)}


def _fitting(windows: Sequence[Range], duration: int) -> list[Range]:
    """The starts from which `duration` stays within a window."""
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


def _holds(ranges: Sequence[Range], point: int) -> bool:
    index = bisect_right(ranges, (point, FOREVER)) - 1
    return index >= 0 and ranges[index][0] <= point < ranges[index][1]
