"""Parsers of text values, shared by bodies, queries, forms, imports and voice messages.

Each raises ValueError with a sentence for a person. Only ASCII digits count: Python's own parsers
and `str.isdigit` accept those of other scripts too.
"""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

MAX_ID: Final = 2**63 - 1
# Any text that a header can carry (RFC 9110, 5.5): bytes of UTF-8 count as one character each.
IDEMPOTENCY_KEY: Final = r"^[^\x00-\x1F\x7F]+$"
LONGEST_IDEMPOTENCY_KEY: Final = 255
DAY_MINUTES: Final = 24 * 60

# Years that survive a shift of a day and a time zone in both databases.
FIRST_INSTANT: Final = datetime(1900, 1, 1, tzinfo=UTC)
LAST_INSTANT: Final = datetime(2200, 1, 1, tzinfo=UTC)

# RFC 3339, also without seconds, and its basic form. A `+` that was not escaped in a URL arrives as
# a space.
_INSTANT: Final = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)[Tt ](\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d{1,30}))?)?"
    r"(?: ?([Zz])| ?([+-])(\d\d)(?::?(\d\d))?| (\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_WALL_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_SECONDS: Final = re.compile(r"[+-]?\d{1,15}(\.\d{0,15})?", re.ASCII)
_EXAMPLE: Final = "2026-01-31T09:30:00+05:30"
# Files of an operating system's zone folder that name no place.
_NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
_CONTROLS: Final = frozenset({"Cc", "Zl", "Zp"})
# Printable by Unicode category, but rendered blank.
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def parse_id(text: str) -> int | None:
    """The id in a path or query, or None where it can be no id of ours."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if 1 <= number <= MAX_ID else None


def parse_instant(text: str) -> datetime:
    """A date and time with an offset or `Z`, as UTC."""
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"Write a date and time like {_EXAMPLE}.")
    year, _, month, day, hour, _, minute, second, fraction, *offset = match.groups()
    if not any(offset):
        raise ValueError(f"Add the offset, like {_EXAMPLE} or 2026-01-31T04:00:00Z.")
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "").ljust(6, "0")[:6]),
            tzinfo=_offset(*offset),
        )
    except ValueError as error:
        raise ValueError(_why_not(int(hour), int(minute), int(second or 0), offset)) from error
    if not FIRST_INSTANT.year - 1 <= local.year <= LAST_INSTANT.year:
        raise ValueError("Only dates from 1900 to 2199 are known here.")
    instant = local.astimezone(UTC)
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError("Only dates from 1900 to 2199 are known here.")
    return instant


def parse_date(text: str) -> date:
    """A date `YYYY-MM-DD` of the years 1900 to 2199."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError("Write a date as YYYY-MM-DD.")
    year, month, day = map(int, match.groups())
    if not FIRST_INSTANT.year <= year < LAST_INSTANT.year:
        raise ValueError("Only dates from 1900 to 2199 are known here.")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise ValueError(f"There is no {match[0]} in the calendar. Write YYYY-MM-DD.") from error


def parse_wall_time(text: str) -> int:
    """`09:30` or `9:30` → 570 minutes after midnight; `24:00` is the end of the day."""
    match = _WALL_TIME.fullmatch(text.strip())
    hours, minutes = (int(part) for part in match.groups()) if match else (99, 99)
    if minutes > 59 or hours * 60 + minutes > DAY_MINUTES:
        raise ValueError("Write a time as HH:MM, from 00:00 to 24:00.")
    return hours * 60 + minutes


def parse_mail_date(text: str) -> datetime:
    """A date of HTTP (RFC 9110 §5.6.7) or e-mail (RFC 5322), as UTC; `-0000` is UTC."""
    try:
        if text.isascii():
            moment = parsedate_to_datetime(text)
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: years that no datetime holds
        pass
    raise ValueError("Write a date and time like Sun, 01 Mar 2026 12:00:00 GMT.")


def parse_seconds(text: str) -> float:
    """A duration in seconds, perhaps with decimals."""
    if not _SECONDS.fullmatch(text.strip()):
        raise ValueError("Write a number of seconds.")
    return float(text)


def parse_zone(name: str) -> ZoneInfo:
    """The IANA zone `name`."""
    # `Etc/GMT+5` in a URL arrives with a space.
    name = name.replace(" ", "+")
    if name not in zone_names():
        raise ValueError(f"{name[:60]} is not an IANA time zone such as Asia/Kolkata.")
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    """The names that IANA gives to zones."""
    # Cached: it walks a folder of files.
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES


def check_name(text: str) -> str:
    """`text` where it can be shown as a name: visible, and on one line. Raises ValueError."""
    if any(unicodedata.category(character) in _CONTROLS for character in text):
        raise ValueError("A name has no control characters, such as tabs and line breaks.")
    if not any(_is_visible(character) for character in text):
        raise ValueError("A name has at least one visible character.")
    return text


def problem_of_name(text: str) -> str:
    """Why `check_name` rejects `text`; empty where it does not."""
    try:
        check_name(text)
    except ValueError as error:
        return str(error)
    return ""


def restore_plus(text: str) -> str:
    """A phone number whose leading `+` arrived as a space, with the `+`."""
    return f"+{text[1:]}" if text.startswith(" ") else text


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category != "Cf" and category[0] not in "ZM" and character not in _BLANK_LETTERS


def _offset(
    utc: str | None,
    sign: str | None,
    hours: str | None,
    minutes: str | None,
    bare_hours: str | None,
    bare_minutes: str | None,
) -> timezone:
    if utc:
        return UTC
    if int(minutes or bare_minutes or 0) > 59:
        raise ValueError("An hour has 60 minutes.")
    size = timedelta(hours=int(hours or bare_hours or 0), minutes=int(minutes or bare_minutes or 0))
    return timezone(-size if sign == "-" else size)


def _why_not(hour: int, minute: int, second: int, offset: list[str | None]) -> str:
    """Why the parts of an instant are not one."""
    if hour > 23:
        return "Hours go from 00 to 23; midnight is 00:00 of the next day."
    if minute > 59 or second > 59:
        return "Minutes and seconds go from 00 to 59; there are no leap seconds here."
    try:
        _offset(*offset)
    except ValueError:
        return "An offset goes from -23:59 to +23:59."
    return "There is no such date in the calendar."
