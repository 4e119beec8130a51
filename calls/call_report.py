"""The facts about a call in one message of a provider, in KaiVox's own terms. Pure.

Each module of `calls.providers` creates these.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from calls.transcripts import Turn
from kaivox.api.values import check_name, parse_instant, parse_seconds

MAX_CALL: Final = timedelta(days=1)
# The provider's clock may be ahead of ours.
MAX_SKEW: Final = timedelta(minutes=10)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


class UnparsableMessage(Exception):
    """The message is not what its provider's format says; the text says how, `errors` which fields
    are to blame, by their names in KaiVox's own format."""

    def __init__(self, message: str, *, errors: Mapping[str, Sequence[str]] | None = None) -> None:
        self.errors = dict(errors or {})
        super().__init__(message)


class NotJson(UnparsableMessage):
    """The body is not a JSON object."""


class Utterance(NamedTuple):
    """One sentence that a provider transcribed during the call."""

    sequence: int
    speaker: str
    text: str
    said_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """All but the id may be unknown. `more_to_come`: an analysis follows in another message.
    `caller_doubtful`: the caller's number is proven not to be theirs."""

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
    utterance: Utterance | None = None
    caller_doubtful: bool = False
    more_to_come: bool = False

    def check(self, *, now: datetime) -> None:
        """Raises UnparsableMessage for values that no call can have."""
        if not 1 <= len(self.provider_call_id) <= 200:
            raise _wrong("call_id", "The call has no id of 1 to 200 characters.")
        for name in ("started_at", "ended_at"):
            instant = getattr(self, name)
            if instant is not None and not _EARLIEST <= instant <= now + MAX_SKEW:
                raise _wrong(name, f"{name} is {instant.isoformat()}: not a time in the past.")
        if self.duration_seconds is not None and not (
            0 <= self.duration_seconds <= MAX_CALL.total_seconds()
        ):
            message = f"A duration of {self.duration_seconds} s is not one of a call."
            raise _wrong("duration_seconds", message)
        if self.started_at and self.ended_at and self.ended_at < self.started_at:
            raise _wrong("ended_at", "The call ended before it started.")
        if self.sentiment_score is not None and not -1 <= self.sentiment_score <= 1:
            message = f"A sentiment score of {self.sentiment_score} is not from -1 to 1."
            raise _wrong("sentiment_score", message)


def _wrong(field: str, message: str) -> UnparsableMessage:
    return UnparsableMessage(message, errors={field: [message]})


# --- Values as providers write them --------------------------------------------------------------


def text_of(value: Any, limit: int = 100_000) -> str:
    """`value` as text; None and other shapes are empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()[:limit]


def choice_of(value: Any, choices: Collection[str]) -> str:
    """`value` in lower case where it is one of `choices`, else empty."""
    text = text_of(value, 100).lower()
    return text if text in choices else ""


def name_of(value: Any) -> str:
    """A caller's name; empty where it is not valid as one."""
    try:
        return check_name(text_of(value, 200))
    except ValueError:
        return ""


def whole_seconds(value: Any) -> int | None:
    """Seconds as a number or its text; absent: None. Raises UnparsableMessage."""
    if value in (None, ""):
        return None
    try:
        is_json_number = isinstance(value, int | float) and not isinstance(value, bool)
        return round(value if is_json_number else parse_seconds(str(value)))
    except (ValueError, OverflowError) as error:
        raise UnparsableMessage(
            f"A duration of {str(value)[:40]!r} is not a number of seconds."
        ) from error


def instant_of(value: Any) -> datetime | None:
    """ISO 8601, in UTC where it has no offset, or milliseconds since 1970; absent: None.

    Raises UnparsableMessage.
    """
    if value in (None, ""):
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        text = str(value).strip()
        try:
            return parse_instant(text)
        except ValueError:
            return parse_instant(f"{text}Z")
    except (ValueError, OverflowError, OSError) as error:
        raise UnparsableMessage(f"{str(value)[:40]!r} is not a date and time.") from error


def link_of(value: Any) -> str:
    """An http(s) URL, unchanged; empty for anything else."""
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
_SCHEME = re.compile(r"(?:sips?|tel|callto|whatsapp):(?://)?([^@;>\s]*)", re.IGNORECASE)


def number_of(value: Any) -> str:
    """A number as the provider sends it, without `sip:`, `tel:` or `whatsapp:`; empty if withheld.
    What is no number (`client:alice`) stays text."""
    text = text_of(value, 200)
    if found := _SCHEME.search(text):
        text = unquote(found[1])
    return "" if text.lower() in _WITHHELD else text[:64]
