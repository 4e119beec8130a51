"""Processor time of what is done to the text of a transcript: bounded for any text."""

from __future__ import annotations

import pytest

from calls import sentiment
from calls.masking import mask, mask_turns
from calls.transcripts import MAX_TURNS, summarise, tidy, turn, words_of
from tests.cpu_cost import check_cost, cpu_seconds
from tests.effort import THOROUGH

pytestmark = pytest.mark.once

MEBIBYTE = 2**20
LIMIT_SECONDS = 0.5

TEXTS = {
    "digits": "4",
    "digits with spaces": "4 ",
    "digits in groups": "4111 1111 ",
    "digits with dashes": "411-",
    "runs below the longest": "4 " * 400 + "x ",
    "numbers inside words": "1b",
    "spoken digits": "four one double two oh ",
    "the shortest spoken digit": "o ",
    "tens": "twenty thirty five ",
    "multipliers": "double ",
    "Hindi digits": "चार एक दो ",
    "cards with details": "4111 1111 1111 1111 exp 12/29 cvv 123. ",
    "dates": "12-12-",
    "phone numbers": "+91 98765 43210 ",
    "prices": "$1,111,",
    "separators": "1" + " " * 8,
    "at signs": "@",
    "addresses": "a@a.bb ",
    "halves of addresses": "a@a.",
    "one word": "a",
    "sentences": "I am not happy. This is good! ",
    "negations": "not good but ",
    "apostrophes": "a'",
    "blank lines": "I\n\n\n\n",
}


def masked_as_turns(text: str) -> None:
    length = len(text) // MAX_TURNS + 1
    mask_turns([turn("caller", text[at : at + length], None) for at in range(0, len(text), length)])


def transcribed(text: str) -> None:
    turns = tidy([turn("caller", text, None)])
    words_of(turns, summarise(turns))


# In a quick run each text is handled in one of the ways, and each way meets every fourth text.
WAYS = (mask, masked_as_turns, sentiment.score, transcribed)
CASES = [
    pytest.param(work, pattern, id=f"{name}-{work.__name__}")
    for number, (name, pattern) in enumerate(TEXTS.items())
    for work in (WAYS if THOROUGH else [WAYS[number % len(WAYS)]])
]


@pytest.mark.parametrize(("work", "pattern"), CASES)
class TestProcessingTime:
    def test_is_bounded_and_grows_with_the_text(self, work, pattern):
        work(pattern * 10)  # loads weights and word lists
        size = MEBIBYTE // len(pattern.encode())
        text, half_text = pattern * size, pattern * (size // 2)
        check_cost(
            lambda: cpu_seconds(lambda: work(text)),
            lambda: cpu_seconds(lambda: work(half_text)),
            repr(pattern),
            limit=LIMIT_SECONDS,
        )
