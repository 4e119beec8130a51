"""Tokenizes the numbers in a text, written in digits of any script or spoken as words. Pure.

English and Hindi, the latter in Devanagari and in Latin script; of Spanish, French and German the digits,
but no words that are others in English, such as Spanish `once`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple


class Token(NamedTuple):
    """A number: its offsets in the text, its digits in ASCII, and whether it is spoken."""

    start: int
    end: int
    digits: str
    spoken: bool


_WORDS: Final[Mapping[str, str]] = {
    word: digits
    for digits, words in {
        "0": "zero oh o nought naught nil cero zéro null shunya sunya zeero शून्य ज़ीरो ज़ीरो जीरो",
        "1": "one uno un eins ek एक वन",
        "2": "two dos deux zwei zwo do दो टू",
        "3": "three tres trois drei teen tin तीन थ्री",
        "4": "four cuatro quatre vier char chaar चार फोर",
        "5": "five cinco cinq fünf paanch panch पाँच पांच फाइव",
        "6": "six seis sechs chhe chhah chah che chhai छह छः छे सिक्स",
        "7": "seven siete sept sieben saat sat सात सेवन",
        "8": "eight ocho huit acht aath ath आठ एट",
        "9": "nine nueve neuf neun nau नौ नाइन",
        "10": "ten",
        "11": "eleven",
        "12": "twelve",
        "13": "thirteen",
        "14": "fourteen",
        "15": "fifteen",
        "16": "sixteen",
        "17": "seventeen",
        "18": "eighteen",
        "19": "nineteen",
        "20": "twenty",
        "30": "thirty",
        "40": "forty fourty",
        "50": "fifty",
        "60": "sixty",
        "70": "seventy",
        "80": "eighty",
        "90": "ninety",
    }.items()
    for word in words.split()
}
_TIMES: Final[Mapping[str, int]] = {
    "double": 2,
    "doble": 2,
    "dabal": 2,
    "डबल": 2,
    "triple": 3,
    "tripal": 3,
    "ट्रिपल": 3,
    "quadruple": 4,
}


def _alternatives(words: Iterable[str]) -> str:
    """`words`, longest first, grouped by their first letter: Python's `re` tries every alternative
    of a flat list, which takes five times as long where no word matches."""
    groups: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        groups.setdefault(word[0], []).append(re.escape(word[1:]))
    return "|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in groups.items())


# `\w` has no vowel signs, which are part of Devanagari words; "x4111" contains a number.
_WORD_START: Final = r"(?<![^\W\d])(?<![\u0900-\u0963])"
_WORD_END: Final = r"(?![^\W\d])(?![\u0900-\u0963])"
# Most characters begin no number: this is checked before any alternative.
_FIRST: Final = rf"(?=[\d{''.join(sorted({word[0] for word in (*_WORDS, *_TIMES)}))}])"
_TOKEN = re.compile(
    rf"{_FIRST}(?:(?P<digits>\d+)|{_WORD_START}"
    rf"(?:(?P<times>{_alternatives(_TIMES)})|(?P<word>{_alternatives(_WORDS)})){_WORD_END})",
    re.IGNORECASE,
)
# Pattern of one token, for expressions compiled with IGNORECASE.
TOKEN: Final = rf"{_FIRST}(?>\d+|{_WORD_START}(?:{_alternatives((*_TIMES, *_WORDS))}){_WORD_END})"
_CLOSE: Final = 2  # characters between the parts of one number: "double four", "twenty-seven"


def tokens_of(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The numbers in `text[start:end]`, in order; offsets are those of `text`."""
    times, since, end_of_times = 1, 0, 0  # of a word like "double": factor and offsets
    tens: Token | None = None
    for found in _TOKEN.finditer(text, start, len(text) if end is None else end):
        if times_word := found["times"]:
            if tens:
                yield tens
                tens = None
            times, since = _TIMES[_lower(times_word)], found.start()
            end_of_times = found.end()
            continue
        spoken = found["word"] is not None
        digits = _WORDS[_lower(found["word"])] if spoken else _ascii(found["digits"])
        begin, finish = found.span()
        if times > 1 and len(digits) == 1 and begin - end_of_times <= _CLOSE:
            begin, digits, spoken = since, digits * times, True
        elif tens and spoken and len(digits) == 1 and digits != "0" and begin - tens.end <= 1:
            yield Token(tens.start, finish, tens.digits[0] + digits, spoken=True)
            tens, times = None, 1
            continue
        times = 1
        if tens:
            yield tens
            tens = None
        token = Token(begin, finish, digits, spoken)
        if spoken and len(digits) == 2 and digits[1] == "0" and digits != "10" and digits[0] != "0":
            tens = token
        else:
            yield token
    if tens:
        yield tens


# What IGNORECASE takes for an i or an s, and `str.lower` does not.
_EQUAL_LETTERS: Final = str.maketrans({"İ": "i", "ı": "i", "ſ": "s"})


def _lower(word: str) -> str:
    return word.translate(_EQUAL_LETTERS).lower()


def _ascii(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)
