"""Sentences for a text-to-speech voice: short, on one line, without markup and ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from kaivox.agents.context import ToolContext
from kaivox.agents.sentences import Language

LONGEST: Final = 250
MOST_CHOICES: Final = 3

_LONGEST_VALUE: Final = 64
# What a voice would spell out, or a chat window would format.
_MARKUP = re.compile(r"[*_#`~|<>\[\]{}\\^=]+")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]+")


def say(language: Language, key: str, **values: Any) -> str:
    """The sentence `key` with `values`, which may come from people."""
    shown = {name: speakable(str(value)) for name, value in values.items()}
    return shorten(language.sentences[key].format_map(shown), LONGEST)


def say_choices(
    language: Language, key: str, choices: Sequence[str], *, joined_by: str = "or", **values: Any
) -> str:
    """The sentence `key` with as many of `choices` as fit, three at most."""
    shown = {name: speakable(str(value)) for name, value in values.items()}
    names = [_clean(choice) for choice in choices]
    sentence = ""
    for count in range(min(MOST_CHOICES, len(names)), 0, -1):
        listed = join(language, names[:count], joined_by)
        sentence = language.sentences[key].format_map({**shown, "choices": listed})
        if len(sentence) <= LONGEST:
            return sentence
    return shorten(sentence, LONGEST)


def join(language: Language, names: Sequence[str], word: str) -> str:
    """`a, b or c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {language.words[word]} {names[-1]}"


def speakable(text: str) -> str:
    """`text` of a person on one line, without markup, not too long to listen to."""
    return shorten(_clean(text), _LONGEST_VALUE)


def shorten(text: str, limit: int) -> str:
    """`text` cut at the end of a word."""
    plain = _SPACE.sub(" ", text).strip()
    if len(plain) <= limit:
        return plain
    cut = plain[:limit]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:-")


def spoken_day(context: ToolContext, day: date) -> str:
    """`Tuesday, December 1`, with the year where it is not the present one."""
    return context.language.day(day, day.year != context.today.year)


def spoken_time(context: ToolContext, instant: datetime) -> str:
    """`3:30 PM`, in the business's zone."""
    return context.language.clock(instant.astimezone(context.zone).time())


def spoken(context: ToolContext, instant: datetime) -> str:
    """`Tuesday, December 1 at 3:30 PM`, in the business's zone."""
    local = instant.astimezone(context.zone)
    day = spoken_day(context, local.date())
    return context.language.moment(day, spoken_time(context, instant))


def spoken_price(language: Language, price: Decimal, currency: str) -> str:
    """`1,200 rupees`."""
    amount = f"{price:,.0f}" if price == price.to_integral_value() else f"{price:,.2f}"
    return f"{amount} {language.currencies.get(currency, currency)}"


def _clean(text: str) -> str:
    return _SPACE.sub(" ", _MARKUP.sub(" ", text)).strip()
