"""Computes the busy times of a calendar. Run as a program, `python -m staff.busy_times`, with limits.

A rule of a few bytes can have millions of instances, or none before the year 9999 and be searched
until then. No count made beforehand finds all of these, so the work is done in a process whose CPU
time and memory are limited. It imports no Django.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar

from staff.ical_text import UnreadableCalendar, is_free
from staff.intervals import Range, merged
from staff.local_time import instant_of

MAX_BUSY_TIMES: Final = 5_000
CPU_SECONDS: Final = 10
_MEMORY_BYTES: Final = 1 << 30


def busy_times(text: str, zone: ZoneInfo, span: Range) -> list[Range]:
    """The busy times in `text`, a calendar, within `span`, merged, in Unix seconds.

    Times without a zone, or with an unknown one, are of the calendar's own zone, else of
    `zone`; so are whole days. Raises UnreadableCalendar.
    """
    start, end = span
    begin, until = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    try:
        calendar = Calendar.from_ical(text)
        zone = ZoneInfo(str(calendar.get("X-WR-TIMEZONE", zone.key)))
        events = recurring_ical_events.of(calendar).between(begin, until)
        found = merged(
            (max(start, _instant(event.start, zone)), min(end, _instant(event.end, zone)))
            for event in events
            if not _is_free(event)
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnreadableCalendar("The time or the rule of an event cannot be read.") from error
    if len(found) > MAX_BUSY_TIMES:
        raise UnreadableCalendar(f"It has more than {MAX_BUSY_TIMES:,} busy times to come.")
    return found


def _is_free(event: Any) -> bool:
    names = ("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS")
    return is_free(*(str(event.get(name, "")) for name in names))


def _instant(value: date, zone: ZoneInfo) -> int:
    if not isinstance(value, datetime):
        return instant_of(zone, datetime.combine(value, time()))
    return instant_of(zone, value) if value.tzinfo is None else int(value.timestamp())


def main() -> None:
    """Reads `{"text", "zone", "span"}` from standard input, writes `{"ranges"}` or `{"problem"}`."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    with suppress(ValueError, OSError):  # not on macOS
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    warnings.simplefilter("ignore")
    request = json.load(sys.stdin)
    try:
        ranges = busy_times(request["text"], ZoneInfo(request["zone"]), tuple(request["span"]))
    except UnreadableCalendar as error:
        json.dump({"problem": str(error)}, sys.stdout)
    else:
        json.dump({"ranges": ranges}, sys.stdout)


if __name__ == "__main__":
    main()
