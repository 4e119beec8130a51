"""How did the caller feel about us? A scorer of ours, offline, in a millisecond, for English.

It knows how people praise and complain on the phone, not how ill they are: "my tooth hurts" is why
somebody calls. How it was chosen and how often it is right: docs/decisions/0601-sentiment.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import sqrt
from typing import Final

from calls.sentiment_words import NEGATIONS, PHRASES, STRONG, WORDS

METHOD: Final = "rules-1"

# From here on a passage is positive, or negative; set on the tuning passages.
POSITIVE_FROM: Final = 0.33
NEGATIVE_FROM: Final = -0.33

_NEGATION_REACH: Final = 3
_TOKEN = re.compile(r"[a-z']+|[.!?;,]|\n")
_STOP: Final = frozenset(".!?;\n")
# Words of a passage that is in English at all; without any of them nothing is said.
_ENGLISH: Final = frozenset(
    [
        "i",
        "you",
        "the",
        "a",
        "to",
        "is",
        "it",
        "for",
        "my",
        "and",
        "me",
        "that",
        "this",
        "of",
        "in",
        "on",
        "not",
        "do",
        "was",
        "can",
        "have",
        "yes",
        "no",
        "okay",
        "thank",
    ]
)


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is from -1 to 1."""

    sentiment: str
    value: float


def score(text: str) -> Score | None:
    """The sentiment of what a caller said, one turn a line; None where it is not in English."""
    lowered = text.lower().replace("’", "'")
    if not _ENGLISH.intersection(re.findall(r"[a-z]+", lowered)):
        return None
    total = 0.0
    for pattern, weight in PHRASES:
        lowered, count = pattern.subn(" . ", lowered)
        total += weight * min(count, 2)
    total += sum(_sentence_weights(_TOKEN.findall(lowered)))
    # Squeezed into -1…1; 2 is about one clear word.
    value = round(total / sqrt(total * total + 9), 3)
    return Score(_sentiment_of(value), value)


def _sentiment_of(value: float) -> str:
    if value >= POSITIVE_FROM:
        return "positive"
    return "negative" if value <= NEGATIVE_FROM else "neutral"


def _sentence_weights(tokens: list[str]) -> list[float]:
    """The weight of each known word, turned round by a negation shortly before it."""
    weights = []
    negated = strong = 0
    for token in tokens:
        if token in _STOP:
            negated = strong = 0
            continue
        weight = WORDS.get(token, 0.0)
        if weight:
            weight *= 1.4 if strong else 1.0
            # "Not good" is bad; "not bad" is no praise.
            weights.append(-weight * 0.8 if negated and weight > 0 else 0.0 if negated else weight)
        negated = _NEGATION_REACH if token in NEGATIONS else max(0, negated - 1)
        strong = 2 if token in STRONG else max(0, strong - 1)
    return weights
