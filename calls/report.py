"""What one message tells about a call, in our words. Pure; each provider's module makes these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.dateparse import parse_datetime

from calls.transcripts import Turn

MAX_CALL: Final = timedelta(days=1)
# The provider's clock may be ahead of ours.
MAX_SKEW: Final = timedelta(minutes=10)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Unreadable(Exception):
    """The message is not what its provider's format says; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """All but the id may be unknown. `more_to_come`: an analysis follows in another message."""

    provider_call_id: str
    status: str = ""
    direction: str = ""
    from_number: str = ""
    to_number: str = ""
    caller_name: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: int | None = None
    end_reason: str = ""
    outcome: str = ""
    sentiment: str = ""
    sentiment_score: float | None = None
    summary: str = ""
    recording_url: str = ""
    turns: Sequence[Turn] = field(default=())
    more_to_come: bool = False

    def check(self, *, now: datetime) -> None:
        """Raises Unreadable for what no call can be."""
        if not 1 <= len(self.provider_call_id) <= 200:
            raise Unreadable("The call has no id of 1 to 200 characters.")
        for name in ("started_at", "ended_at"):
            instant = getattr(self, name)
            if instant is not None and not _EARLIEST <= instant <= now + MAX_SKEW:
                raise Unreadable(f"{name} is {instant.isoformat()}: not a time in the past.")
        if self.duration_seconds is not None and not (
            0 <= self.duration_seconds <= MAX_CALL.total_seconds()
        ):
            raise Unreadable(f"A duration of {self.duration_seconds} s is not one of a call.")
        if self.started_at and self.ended_at and self.ended_at < self.started_at:
            raise Unreadable("The call ended before it started.")
        if self.sentiment_score is not None and not -1 <= self.sentiment_score <= 1:
            raise Unreadable(f"A sentiment score of {self.sentiment_score} is not from -1 to 1.")


# --- Values as providers write them --------------------------------------------------------------


def text_of(value: Any, limit: int = 100_000) -> str:
    """`value` as text; None and other shapes are empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()[:limit]


def whole_seconds(value: Any) -> int | None:
    """Seconds as a number or its text; absent: None. Raises Unreadable."""
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
        return round(seconds)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"A duration of {str(value)[:40]!r} is no number of seconds.") from error


def instant_of(value: Any) -> datetime | None:
    """ISO 8601, or milliseconds since 1970; absent: None. Raises Unreadable."""
    if value in (None, ""):
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        parsed = parse_datetime(str(value).strip())
        if parsed is not None:
            return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise Unreadable(f"{str(value)[:40]!r} is no date and time.")


def link_of(value: Any) -> str:
    """An http(s) address, handed on as given; anything else is none."""
    url = text_of(value, 2001)
    try:
        return url if len(url) <= 2000 and urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


# Written in place of a number by those who withhold it; Twilio's +266696687 spells ANONYMOUS.
_WITHHELD: Final = frozenset(
    {"anonymous", "restricted", "unknown", "private", "unavailable", "withheld", "blocked", "none"}
    | {"+266696687", "266696687", "+86282452253", "+7378742833", "+2562533", "+8656696"}
)
_SIP = re.compile(r"(?:sips?|tel):([^@;>\s]*)", re.IGNORECASE)


def number_of(value: Any) -> str:
    """A number as the provider gives it, out of its `sip:` or `tel:`; withheld ones are empty."""
    text = text_of(value, 200)
    if found := _SIP.search(text):
        text = found[1]
    return "" if text.lower() in _WITHHELD else text[:64]
