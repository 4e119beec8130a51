"""Sentiment of a caller: a small offline classifier, about a millisecond for a call.

A softmax regression over words, word pairs and VADER's lexicon; the weights are in the file beside
this one, written by tests/calls/sentiment/train.py. It scores English alone, and only where it is
sure enough: docs/decisions/0061-sentiment-by-a-small-classifier.md has its choice and its accuracy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import ceil, exp, sqrt
from pathlib import Path
from typing import Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

METHOD: Final = "softmax-1"
WEIGHTS: Final = Path(__file__).with_name("sentiment_weights.json")
LABELS: Final = ("negative", "neutral", "positive")

# Below this probability there is no score.
SURE_FROM: Final = 0.6

# A call is scored in passages of about this many words.
_PASSAGE_WORDS: Final = 20
# Of a longer call that many passages are scored, evenly spaced: the time is bounded.
_MAX_PASSAGES: Final = 200
_MAX_LINE_WORDS: Final = 60
_MAX_WORD: Final = 40

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
        sum(weight * share[label] for weight, share in zip(weights, shares, strict=True))
        / sum(weights)
        for label in range(len(LABELS))
    ]
    best = max(whole)
    if best < SURE_FROM:
        return None
    return Score(LABELS[whole.index(best)], round(whole[2] - whole[0], 3))


def _passages(text: str) -> list[str]:
    """Turns joined until they are long enough; those in another language left out."""
    passages: list[list[str]] = []
    for line in filter(None, text.splitlines()):
        words = line.split()
        for start in range(0, len(words), _MAX_LINE_WORDS):
            if not passages or len(passages[-1]) >= _PASSAGE_WORDS:
                passages.append([])
            passages[-1] += words[start : start + _MAX_LINE_WORDS]
    step = ceil(len(passages) / _MAX_PASSAGES) or 1
    texts = (" ".join(word[:_MAX_WORD] for word in words) for words in passages[::step])
    return [passage for passage in texts if _ENGLISH & set(_WORD.findall(passage.lower()))]


def probabilities(text: str) -> tuple[float, ...]:
    """Of LABELS, for one passage."""
    sums = [0.0] * len(LABELS)
    weights = _weights()
    for name, value in features(text).items():
        for label, weight in enumerate(weights.get(name, ())):
            sums[label] += value * weight
    powers = [exp(one - max(sums)) for one in sums]
    return tuple(power / sum(powers) for power in powers)


def features(text: str) -> Mapping[str, float]:
    """Input of the classifier: words and pairs of words, VADER's scores, punctuation and length."""
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
