"""Days and times as people and language models say them, resolved in the business's zone.

Pure: no database, no clock. `next Tuesday` is the first Tuesday after today; results are always
echoed with their date, so a caller who meant another one says so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from kaivox.agents.sentences import LANGUAGES


class NotUnderstood(ValueError):
    """The text is no day or time."""


@dataclass(frozen=True, slots=True)
class Days:
    """The local days `first` to `last`. `soonest`: any day will do, the sooner the better."""

    first: date
    last: date
    soonest: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """An `instant`, or a local `day` and `clock` that are still to be resolved in a zone."""

    day: date
    clock: time
    instant: datetime | None = None


PARTS_OF_DAY: Final = {
    "morning": (time(0), time(12)),
    "afternoon": (time(12), time(17)),
    "evening": (time(17), time.max),
}

_SOONEST: Final = frozenset(
    {"next", "soonest", "asap", "as soon as possible", "any", "anytime", "any day", "whenever"}
    | {"first", "earliest", "next available", "soon", "proximo", "lo antes posible", "cuando sea"}
)
_RELATIVE: Final = {
    "today": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "now": 0,
    "tomorrow": 1,
    "tmrw": 1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
    "yesterday": -1,
    "the day before yesterday": -2,
    "hoy": 0,
    "esta tarde": 0,
    "manana": 1,
    "pasado manana": 2,
    "ayer": -1,
    "in a week": 7,
    "a week from today": 7,
    "a week from now": 7,
}
_NUMBERS: Final = {
    word: number
    for number, words in enumerate(
        (
            "",
            "a one un una",
            "two dos couple",
            "three tres",
            "four cuatro",
            "five cinco",
            "six seis",
        )
    )
    for word in words.split()
}
_NEXT: Final = frozenset({"next", "proximo", "proxima", "siguiente"})
_FILLERS: Final = re.compile(
    r"^(?:(?:on|this|coming|the|for|el|la|este|esta|para|por|upcoming)\s+)+|\s+(?:please|que viene)$"
)
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_ISO_TIME = re.compile(r"[\d-]+T\d\d:?\d\d", re.ASCII)
_NUMERIC = re.compile(r"(\d{1,2})[/.](\d{1,2})(?:[/.](\d{2,4}))?\.?", re.ASCII)
_IN_DAYS = re.compile(r"(?:in|en)\s+(\w{1,20})\s+(days?|weeks?|dias?|semanas?)", re.ASCII)
_FRIDAY_NEXT_WEEK = re.compile(r"(\w+) (?:of )?(next|this) week")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th|º|°)?", re.ASCII)
_CLOCK = re.compile(
    r"(?:at\s+|around\s+|about\s+|a\s+las?\s+)?(\d{1,2})(?:[:.h](\d{2})(?::\d{2})?)?\s*"
    r"(a\.?m\.?|p\.?m\.?|o'?clock|h|hrs?|de la (?:manana|tarde|noche))?",
    re.ASCII,
)
_NAMED_CLOCKS: Final = {
    "noon": time(12),
    "midday": time(12),
    "mediodia": time(12),
    "midnight": time(0),
}
_WORD_PARTS: Final = {
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
    "tonight": "evening",
    "night": "evening",
    "la manana": "morning",
    "tarde": "afternoon",
    "noche": "evening",
}
# No caller means another one, and arithmetic with the first and last year of `date` overflows.
_YEARS: Final = range(1900, 2200)
# Before this hour a time without AM or PM is taken for the afternoon.
_FIRST_BARE_HOUR: Final = 7


def parse_days(text: str, today: date, *, month_first: bool = False) -> Days:
    """The days that `text` means on `today`. `month_first`: 12/5 is December 5.

    Raises NotUnderstood.
    """
    plain = _plain(text)
    if plain in _SOONEST or _FILLERS.sub("", plain) in _SOONEST:
        return Days(today, today, soonest=True)
    plain = re.sub(r"\s+(?:in the |in |por la |de la )?(?:morning|afternoon|evening|night|tarde|noche)$", "", plain)  # fmt: skip
    found = _week(plain, today)
    if found is not None:
        return found
    day = _relative(plain, today) or _weekday(plain, today) or _calendar(plain, today, month_first)
    if day is None or day.year not in _YEARS:
        raise NotUnderstood(text)
    return Days(day, day)


def parse_time(text: str) -> time:
    """A clock time such as `15:30`, `3 pm` or `noon`. Raises NotUnderstood."""
    plain = _plain(text)
    if plain in _NAMED_CLOCKS:
        return _NAMED_CLOCKS[plain]
    half_past = plain.removeprefix("half past ")
    found = _CLOCK.fullmatch(half_past)
    if found is None:
        raise NotUnderstood(text)
    hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").replace(".", "")
    if half_past != plain and not found[2]:
        minute = 30
    if half in ("pm", "de la tarde", "de la noche") and hour < 12:
        hour += 12
    elif half in ("am", "de la noche") and hour == 12:
        hour = 0
    elif not half and not found[2] and 0 < hour < _FIRST_BARE_HOUR:
        hour += 12
    if hour > 23 or minute > 59:
        raise NotUnderstood(text)
    return time(hour, minute)


def parse_moment(text: str, today: date, *, month_first: bool = False) -> Moment:
    """A day with a time: ISO 8601 with or without an offset, or `tomorrow at 3 pm`.

    Raises NotUnderstood, also where only a day is named.
    """
    stripped = text.strip()
    if _ISO_DATE.match(stripped) and len(stripped) > 10:
        return _iso_moment(stripped)
    words = _plain(stripped).replace(",", " ").split()
    # The longest time at the end or at the beginning; the rest is the day.
    for count in range(min(4, len(words) - 1), 0, -1):
        for clock, day in ((words[-count:], words[:-count]), (words[:count], words[count:])):
            try:
                found = parse_time(" ".join(clock))
                days = parse_days(" ".join(day).removesuffix(" at").removesuffix(" a"), today, month_first=month_first)  # fmt: skip
            except NotUnderstood:
                continue
            if not days.soonest and days.first == days.last:
                return Moment(days.first, found)
    raise NotUnderstood(text)


def part_of_day(text: str) -> str | None:
    """`morning`, `afternoon` or `evening` where `text` names one."""
    plain = _plain(text)
    return next((part for word, part in _WORD_PARTS.items() if plain.endswith(word)), None)


def _iso_moment(text: str) -> Moment:
    spelled = re.sub(r"\s+(?=\d{2}:?\d{2}$)", "+", text)  # a plus sign that a form has eaten
    spelled = spelled.replace(" ", "T", 1).replace(" ", "")
    try:
        # `T03.5` would be read as 03:00:00.5.
        found = datetime.fromisoformat(spelled if _ISO_TIME.match(spelled) else "")
    except ValueError:
        day, _, clock = text.replace("T", " ", 1).partition(" ")
        return Moment(parse_days(day, date.min).first, parse_time(clock))
    if found.year not in _YEARS:
        raise NotUnderstood(text)
    if found.tzinfo is None:
        return Moment(found.date(), found.time().replace(second=0, microsecond=0))
    instant = found.astimezone(UTC).replace(second=0, microsecond=0)
    return Moment(found.date(), found.time(), instant)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    unaccented = "".join(one for one in decomposed if not "\u0300" <= one <= "\u036f")
    return re.sub(r"\s+", " ", unaccented.casefold().replace("’", "'")).strip(" .,!?")


def _week(plain: str, today: date) -> Days | None:
    weekend = "weekend" in plain or "fin de semana" in plain
    if not weekend and not re.search(r"\b(week|semana)$", plain):
        return None
    named = _FRIDAY_NEXT_WEEK.fullmatch(plain)
    if named and named[1] in _WEEKDAYS:
        weeks = 7 if named[2] in _NEXT else 0
        day = today + timedelta(days=_WEEKDAYS[named[1]] - today.weekday() + weeks)
        return Days(day, day)
    words = set(plain.split())
    monday = today - timedelta(days=today.weekday())
    if words & _NEXT or "que viene" in plain:
        monday += timedelta(days=7)
    elif not words <= {"this", "the", "week", "weekend", "esta", "este", "el", "fin", "de", "semana", "on"}:  # fmt: skip
        return None
    if weekend:
        return Days(max(monday + timedelta(days=5), today), monday + timedelta(days=6))
    return Days(max(monday, today), monday + timedelta(days=6))


def _relative(plain: str, today: date) -> date | None:
    offset = _RELATIVE.get(plain)
    if offset is None:
        found = _IN_DAYS.fullmatch(plain)
        if found is None:
            return None
        count = int(found[1]) if found[1].isdigit() else _NUMBERS.get(found[1])
        if count is None or count > 5000:
            return None
        offset = count * (7 if found[2][0] in "ws" else 1)
    return _shifted(today, offset)


def _weekday(plain: str, today: date) -> date | None:
    bare = _FILLERS.sub("", plain)
    words = bare.split()
    is_next = bool(words) and (words[0] in _NEXT or plain.endswith("que viene"))
    name = " ".join(words[1:] if words and words[0] in _NEXT else words)
    weekday = _WEEKDAYS.get(name)
    if weekday is None:
        return None
    ahead = (weekday - today.weekday()) % 7
    return _shifted(today, ahead or (7 if is_next else 0))


def _calendar(plain: str, today: date, month_first: bool) -> date | None:
    if found := _ISO_DATE.fullmatch(plain):
        return _date(int(found[1]), int(found[2]), int(found[3]))
    if found := _NUMERIC.fullmatch(plain):
        day, month = int(found[1]), int(found[2])
        if (month_first and day <= 12) or month > 12:
            day, month = month, day
        return _with_year(found[3], month, day, today)
    words = [word for word in re.split(r"[\s,]+", plain) if word not in ("of", "the", "de", "del", "on", "el")]  # fmt: skip
    if words and words[0] in _WEEKDAYS and len(words) > 1:
        words = words[1:]
    return _spelled(words, today)


def _spelled(words: list[str], today: date) -> date | None:
    """`5 december`, `december 5th 2026`, `5th`."""
    month = year = day = None
    for word in words:
        if word in _MONTHS and month is None:
            month = _MONTHS[word]
        elif re.fullmatch(r"\d{4}", word, re.ASCII) and year is None:
            year = word
        elif (found := _ORDINAL.fullmatch(word)) and day is None:
            day = int(found[1])
        else:
            return None
    if day is None:
        return None
    if month is not None:
        return _with_year(year, month, day, today)
    this_month = _date(today.year, today.month, day)
    if this_month is not None and this_month >= today:
        return this_month
    following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return _date(following.year, following.month, day)


def _with_year(year: str | None, month: int, day: int, today: date) -> date | None:
    """Without a year: the next such day."""
    if year is not None:
        return _date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    found = _date(today.year, month, day)
    return found if found is not None and found >= today else _date(today.year + 1, month, day)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _shifted(day: date, offset: int) -> date | None:
    try:
        return day + timedelta(days=offset)
    except OverflowError:
        return None


def _names(kind: str, shortest: int) -> dict[str, int]:
    """Name and abbreviation → number, in all languages."""
    found: dict[str, int] = {}
    for language in LANGUAGES.values():
        for number, name in enumerate(getattr(language, kind)):
            plain = _plain(name)
            for length in range(shortest, len(plain) + 1):
                found.setdefault(plain[:length], number)
    return found


_WEEKDAYS: Final = _names("weekdays", 3)
_MONTHS: Final = {name: number + 1 for name, number in _names("months", 3).items()}
