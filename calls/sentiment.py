"""How did the caller feel about us? A small classifier of ours, offline, a millisecond a call.

Word pairs and VADER's lexicon in a softmax regression; the weights lie beside this file and are
made by tests/calls/sentiment/train.py. It answers for English, and only where it is sure enough:
docs/decisions/0061-sentiment-by-a-small-classifier.md says how it was chosen and how often it is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import exp, sqrt
from pathlib import Path
from typing import Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

METHOD: Final = "softmax-1"
WEIGHTS: Final = Path(__file__).with_name("sentiment_weights.json")
LABELS: Final = ("negative", "neutral", "positive")

# Below this probability nothing is said.
SURE_FROM: Final = 0.6

# A long call is judged in passages of about this many words.
_PASSAGE_WORDS: Final = 20

_WORD = re.compile(r"[a-z']+")
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
    """The sentiment of what a caller said, one turn a line; None where it is not clear."""
    passages = _passages(text)
    if not passages:
        return None
    shares = [probabilities(passage) for passage in passages]
    # A passage with feeling in it says more about the call than one that names a date.
    weights = [1.2 - share[1] for share in shares]
    whole = [
        sum(weight * share[place] for weight, share in zip(weights, shares, strict=True))
        / sum(weights)
        for place in range(len(LABELS))
    ]
    best = max(whole)
    if best < SURE_FROM:
        return None
    return Score(LABELS[whole.index(best)], round(whole[2] - whole[0], 3))


def _passages(text: str) -> list[str]:
    """Turns put together until they are long enough; those in another language left out."""
    passages: list[str] = []
    for line in text.splitlines():
        if passages and len(passages[-1].split()) < _PASSAGE_WORDS:
            passages[-1] += f" {line}"
        else:
            passages.append(line)
    return [passage for passage in passages if _ENGLISH & set(_WORD.findall(passage.lower()))]


def probabilities(text: str) -> tuple[float, ...]:
    """Of LABELS, for one passage."""
    sums = [0.0] * len(LABELS)
    weights = _weights()
    for name, value in features(text).items():
        for place, weight in enumerate(weights.get(name, ())):
            sums[place] += value * weight
    powers = [exp(one - max(sums)) for one in sums]
    return tuple(power / sum(powers) for power in powers)


def features(text: str) -> Mapping[str, float]:
    """What the classifier sees: which words and pairs of words there are, what VADER makes of them,
    and how it is said."""
    lowered = text.lower().replace("’", "'")
    words = _WORD.findall(lowered)
    found = set(words) | {f"{one} {two}" for one, two in pairwise(words)}
    share = 1 / sqrt(len(found) or 1)
    lexicon = _vader().polarity_scores(text)
    return {
        **dict.fromkeys(sorted(found), share),
        "*": 1.0,
        "*compound": lexicon["compound"],
        "*negative": lexicon["neg"],
        "*positive": lexicon["pos"],
        "*exclamations": min(text.count("!"), 3) / 3,
        "*questions": min(text.count("?"), 3) / 3,
        "*length": min(len(words), 60) / 60,
    }


@cache
def _weights() -> Mapping[str, tuple[float, ...]]:
    return {name: tuple(values) for name, values in json.loads(WEIGHTS.read_text()).items()}


@cache
def _vader() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()
