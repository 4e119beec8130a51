"""Processor time of what is done to the text of a transcript: bounded for any text."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from calls import sentiment
from calls.masking import mask, mask_turns
from calls.transcripts import MAX_TURNS, summarise, tidy, turn, words_of
from tests.effort import THOROUGH

pytestmark = pytest.mark.once

MEBIBYTE = 2**20
# Of an idle core. At a load of 17 on two cores the slowest text took 0.50 s in the best of six.
LIMIT_SECONDS = 0.5 if THOROUGH else 1.0
# Below it the clock and the caches of the processor decide, not the code.
NOISE_SECONDS = 0.1
MAX_GROWTH = 2.5
ROUNDS = 5  # measured again where too slow, as the processor may be shared at this moment

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


def seconds(work: Callable[[str], object], text: str) -> float:
    begin = time.thread_time()
    work(text)
    return time.thread_time() - begin


@pytest.mark.parametrize("work", (mask, masked_as_turns, sentiment.score, transcribed))
@pytest.mark.parametrize("pattern", TEXTS.values(), ids=list(TEXTS))
class TestProcessingTime:
    def test_is_bounded_and_grows_with_the_text(self, work, pattern):
        work(pattern * 10)  # loads weights and word lists
        size = MEBIBYTE // len(pattern.encode())
        text, half_text = pattern * size, pattern * (size // 2)
        whole, half = seconds(work, text), seconds(work, half_text)
        for _ in range(ROUNDS):
            if whole <= min(LIMIT_SECONDS, max(MAX_GROWTH * half, NOISE_SECONDS)):
                return
            # The least counts: other load of the machine can only add to it.
            whole, half = min(whole, seconds(work, text)), min(half, seconds(work, half_text))
        pytest.fail(f"{half:.3f} s for half of the text, {whole:.3f} s for all")
