"""Converts a local date and time into the instant at which an appointment starts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kaivox.api.values import parse_wall_time
from kaivox.errors import Invalid
from staff.local_time import instant_of, is_skipped


class NonexistentLocalTime(Invalid):
    """`changed_at` is the instant at which the clocks are set forward. `asked` are the values of a body
    with such a time, with that instant as `start`: alternatives are searched from there."""

    code = "nonexistent_local_time"
    message = "This time does not exist on that day: the clocks are set forward past it."

    def __init__(self, message: str, changed_at: datetime) -> None:
        self.changed_at = changed_at
        self.asked: dict[str, Any] = {"start": changed_at}
        super().__init__(message, errors={"appointment_time": [message]})


def start_at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """The instant at which clocks in `zone` show `clock` (`HH:MM`) on `day`; the first where that
    happens twice. Raises NonexistentLocalTime."""
    local = datetime.combine(day, time()) + timedelta(minutes=parse_wall_time(clock))
    start = datetime.fromtimestamp(instant_of(zone, local), UTC)
    if is_skipped(zone, local):
        message = f"There is no {clock} on {day} in {zone.key}: the clocks are set forward past it."
        raise NonexistentLocalTime(message, start)
    return start
