"""Which start does a caller mean: an instant, or a date and a time on somebody's wall?"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from kaivox.errors import Invalid
from staff.clock import parse_clock
from staff.local_time import instant_of, is_skipped


class NonexistentLocalTime(Invalid):
    code = "nonexistent_local_time"
    message = "This time does not exist on that day: the clocks are set forward over it."


def start_at(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """The instant at which a clock in `zone` shows `clock` (`HH:MM`) on `day`; of a time that comes
    twice the first. Raises NonexistentLocalTime."""
    local = datetime.combine(day, time()) + timedelta(minutes=parse_clock(clock))
    if is_skipped(zone, local):
        message = f"There is no {clock} on {day} in {zone.key}: the clocks are set forward over it."
        raise NonexistentLocalTime(message, errors={"appointment_time": [message]})
    return datetime.fromtimestamp(instant_of(zone, local), UTC)


def read_zone(name: str) -> ZoneInfo:
    """The IANA zone `name`. Raises ValueError with a sentence for a person."""
    if name not in _zone_names():
        raise ValueError(f"{name[:60]} is not an IANA time zone such as Asia/Kolkata.")
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    # Reads a folder of files: once is enough.
    return frozenset(zoneinfo.available_timezones())
