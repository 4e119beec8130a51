"""Reduces an iCalendar file (RFC 5545) to the lines that say when its owner is busy. Pure functions.

Files of real programs break the format in many ways: encodings, line ends, folds, events without an
id. Titles, guests and notes are left out here, so that nothing after this module ever sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MAX_EVENTS: Final = 5_000

_EVENT_LINES: Final = frozenset(
    (
        "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS",
        "TRANSP", "SEQUENCE", "X-MICROSOFT-CDO-BUSYSTATUS",
    )
)  # fmt: skip
_ZONE_LINES: Final = frozenset(("TZID", "DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE"))
_SERIES_LINES: Final = frozenset(("RRULE", "RDATE", "RECURRENCE-ID"))

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_FOLD: Final = re.compile(r"(?:\r\n|\r|\n)[ \t]")
_NAME: Final = re.compile(r"[\w-]+")
# Of KaiVox's own calendar addresses: these appointments block their time already.
_OWN_UID: Final = re.compile(r"appointment-\d+@[\w-]+\.kaivox")
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
_UNTIL: Final = re.compile(r"UNTIL=(\d{8})", re.IGNORECASE)
# A day of a margin for time zones.
_MARGIN: Final = timedelta(days=2)


class UnreadableCalendar(ValueError):
    """A calendar that cannot be read. Its text is a sentence for a person."""


def essential_text(data: bytes, *, first: date, last: date) -> str:
    """A calendar with the busy events of `data` that may touch the days `first` to `last`.

    Raises UnreadableCalendar where `data` is not a whole calendar, has more than MAX_EVENTS such
    events, or one that repeats every minute or second.
    """
    reader = _Reader(first - _MARGIN, last + _MARGIN)
    for line in _lines(data):
        reader.read(line)
    return reader.text()


def is_free(status: str, transparency: str, busy_status: str) -> bool:
    """Whether an event with these values of STATUS, TRANSP and X-MICROSOFT-CDO-BUSYSTATUS leaves its
    time free."""
    return (
        status.upper() == "CANCELLED"
        or transparency.upper() == "TRANSPARENT"
        or busy_status.upper() == "FREE"
    )


class _Reader:
    def __init__(self, first: date, last: date) -> None:
        self.first, self.last = first, last
        self.stack: list[str] = []
        self.is_whole = False
        self.zone = ""
        self.zone_lines: list[str] = []
        self.event_lines: list[str] = []
        self.event: dict[str, list[str]] = {}
        self.uids: set[str] = set()
        self.count = 0

    def read(self, line: str) -> None:
        found = _NAME.match(line)
        name = found[0].upper() if found else ""
        if name == "BEGIN":
            self._begin(_value(line).upper())
        elif name == "END":
            self._end(_value(line).upper())
        elif not self.stack:
            return
        elif self.stack[-1] == "VEVENT" and (name in _EVENT_LINES or name == "UID"):
            self.event.setdefault(name, []).append(line)
        elif "VTIMEZONE" in self.stack and name in _ZONE_LINES:
            self.zone_lines.append(line)
        elif name == "X-WR-TIMEZONE" and not self.zone and _is_zone(_value(line)):
            self.zone = _value(line)

    def text(self) -> str:
        if self.stack:
            raise UnreadableCalendar("It breaks off: the end of the calendar is missing.")
        if not self.is_whole:
            raise UnreadableCalendar("It is not a calendar in the format iCalendar (.ics).")
        zone = [f"X-WR-TIMEZONE:{self.zone}"] if self.zone else []
        lines = ["BEGIN:VCALENDAR", *zone, *self.zone_lines, *self.event_lines, "END:VCALENDAR"]
        return "\r\n".join([*lines, ""])

    def _begin(self, kind: str) -> None:
        if not self.stack and kind != "VCALENDAR":
            raise UnreadableCalendar("It is not a calendar in the format iCalendar (.ics).")
        self.stack.append(kind)
        if kind == "VEVENT":
            self.event = {}
        elif "VTIMEZONE" in self.stack:
            self.zone_lines.append(f"BEGIN:{kind}")

    def _end(self, kind: str) -> None:
        if not self.stack or self.stack[-1] != kind:
            raise UnreadableCalendar("It is not whole: a component has no end.")
        if "VTIMEZONE" in self.stack:
            self.zone_lines.append(f"END:{kind}")
        self.stack.pop()
        if kind == "VEVENT":
            self._add_event()
        elif kind == "VCALENDAR":
            self.is_whole = True

    def _add_event(self) -> None:
        event = self.event
        uid = _value(event.pop("UID", [""])[0])
        if "DTSTART" not in event or _OWN_UID.fullmatch(uid):
            return
        is_single = _SERIES_LINES.isdisjoint(event)
        # A free event of a series stays: it says at which times the series is not busy.
        if is_single and (self._is_out_of_range(event) or _is_free(event)):
            return
        if self._is_series_that_ended(event):
            return
        self.count += 1
        if self.count > MAX_EVENTS:
            raise UnreadableCalendar(f"It has more than {MAX_EVENTS:,} events to come.")
        for rule in event.get("RRULE", ()):
            if re.search(r"FREQ=(SECONDLY|MINUTELY)", rule, re.IGNORECASE):
                raise UnreadableCalendar("An event repeats every minute or every second.")
        if "RECURRENCE-ID" not in event:
            # Two events with one id, or without any, would count as one event.
            if not uid or uid in self.uids:
                uid = f"{uid}-{self.count}"
            self.uids.add(uid)
        lines = [line for own in event.values() for line in own]
        self.event_lines += ["BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT"]

    def _is_out_of_range(self, event: dict[str, list[str]]) -> bool:
        begin = _date(event["DTSTART"][0])
        # Without either an event lasts a moment or a day.
        end = begin if "DURATION" not in event else None
        if "DTEND" in event:
            end = _date(event["DTEND"][0])
        is_later = begin is not None and begin > self.last and (end is None or end > self.last)
        return is_later or (end is not None and end < self.first and begin is not None)

    def _is_series_that_ended(self, event: dict[str, list[str]]) -> bool:
        """A calendar of years has hundreds of them. Their moved instances are events of their own."""
        if event.keys() & {"RDATE", "RECURRENCE-ID", "DURATION"} or len(event["DTSTART"]) > 1:
            return False
        begin = _date(event["DTSTART"][0])
        end = _date(event["DTEND"][0]) if "DTEND" in event else begin
        untils = [_UNTIL.search(rule) for rule in event.get("RRULE", ())]
        if begin is None or end is None or not untils or None in untils:
            return False
        last = max(_date(f":{found[1]}") or date.max for found in untils if found)
        return last < self.first - (end - begin)


def _lines(data: bytes) -> Iterator[str]:
    text = _decoded(data).replace("\x00", "")
    return (line for line in _LINE_END.split(_FOLD.sub("", text)) if line)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Whatever the encoding is, the lines that stay are ASCII.
        return data.decode("latin-1")


def _value(line: str) -> str:
    return line.partition(":")[2].strip()


def _date(line: str) -> date | None:
    """The date in a line; None where it is not simple to say."""
    found = _DATE.match(line.rpartition(":")[2].strip())
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _is_free(event: dict[str, list[str]]) -> bool:
    names = ("STATUS", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS")
    return is_free(*(_value(event.get(name, [""])[0]) for name in names))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, not a name, a folder
        return False
    return True
