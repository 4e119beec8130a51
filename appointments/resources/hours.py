"""Hours and closures of a resource, as its columns store them: in the form of the API.

`hours` are objects of `weekday` (0 = Monday), `start` and `end` (`HH:MM`, local time); none: always.
`closures` are objects of `start_time`, `end_time` (RFC 3339 in UTC) and `reason`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ValidationError

from kaivox.api.fields import format_instant
from kaivox.api.values import parse_instant, parse_wall_time
from staff.hours import schedule_problem
from staff.intervals import Range
from staff.minute_of_day import format_clock

MAX_HOURS: Final = 100
MAX_CLOSURES: Final = 100  # with the hours, one form of the admin has fewer than 1,000 fields
MAX_REASON: Final = 200


def hours_rows(hours: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    """Stored hours as (weekday, start minute, end minute)."""
    return [
        (one["weekday"], parse_wall_time(one["start"]), parse_wall_time(one["end"]))
        for one in hours
    ]


def closure_ranges(closures: list[dict[str, Any]]) -> list[Range]:
    """Stored closures as ranges of Unix seconds."""
    return [
        (
            int(datetime.fromisoformat(one["start_time"]).timestamp()),
            int(datetime.fromisoformat(one["end_time"]).timestamp()),
        )
        for one in closures
    ]


def stored_hours(rows: list[tuple[int, int, int]]) -> list[dict[str, Any]]:
    """(weekday, start minute, end minute) as they are stored."""
    return [
        {"weekday": weekday, "start": format_clock(start), "end": format_clock(end)}
        for weekday, start, end in sorted(rows)
    ]


def stored_closures(rows: list[tuple[datetime, datetime, str]]) -> list[dict[str, Any]]:
    """(start, end, reason) as they are stored."""
    return [
        {"start_time": format_instant(start), "end_time": format_instant(end), "reason": reason}
        for start, end, reason in sorted(rows)
    ]


def check_hours(value: Any) -> None:
    """A validator of the column. Raises ValidationError."""
    rows = []
    for one in _objects(value, {"weekday", "start", "end"}, MAX_HOURS):
        try:
            rows.append(
                (one["weekday"], parse_wall_time(one["start"]), parse_wall_time(one["end"]))
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise ValidationError("Write times as HH:MM.") from error
    if any(type(day) is not int or not 0 <= day <= 6 for day, _, _ in rows):
        raise ValidationError("Weekdays are 0 (Monday) to 6 (Sunday).")
    if any(start >= end for _, start, end in rows):
        raise ValidationError("Hours end after they start.")
    if problem := schedule_problem(rows, ()):
        raise ValidationError(problem)


def check_closures(value: Any) -> None:
    """A validator of the column. Raises ValidationError."""
    for one in _objects(value, {"start_time", "end_time", "reason"}, MAX_CLOSURES):
        try:
            start, end = parse_instant(one["start_time"]), parse_instant(one["end_time"])
        except (ValueError, TypeError, AttributeError) as error:
            raise ValidationError("Write start_time and end_time with an offset.") from error
        if start >= end:
            raise ValidationError("A closure ends after it starts.")
        if not isinstance(one["reason"], str) or len(one["reason"]) > MAX_REASON:
            raise ValidationError(f"A reason has at most {MAX_REASON} characters.")


def _objects(value: Any, names: set[str], limit: int) -> list[dict[str, Any]]:
    listed = ", ".join(sorted(names))
    if not isinstance(value, list) or len(value) > limit:
        raise ValidationError(f"Write a list of at most {limit} objects of {listed}.")
    if any(not isinstance(one, dict) or one.keys() != names for one in value):
        raise ValidationError(f"Each is an object of {listed}.")
    return value
