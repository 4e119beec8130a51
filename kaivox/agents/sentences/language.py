"""What a language consists of here: sentences, small words, and how days and times are spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`sentences` has the same keys and placeholders in every language. `words` are `and` and `or`.
    `fields` names what is asked for again. `weekdays` begins with Monday. `day(date, with_year)`,
    `clock(time)` and `moment(day, clock)` give what is spoken."""

    code: str
    sentences: Mapping[str, str]
    words: Mapping[str, str]
    fields: Mapping[str, str]
    currencies: Mapping[str, str]
    weekdays: Sequence[str]
    months: Sequence[str]
    day: Callable[[date, bool], str]
    clock: Callable[[time], str]
    moment: Callable[[str, str], str]
