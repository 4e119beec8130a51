"""What was said: turns, masked, searchable, summed up. Pure.

A transcript is a list of turns as the API shows them: `{"speaker": "agent" | "caller", "text",
"offset_seconds"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

MAX_TURNS: Final = 2_000
MAX_CHARACTERS: Final = 1_000_000


class Turn(TypedDict):
    speaker: str
    text: str
    offset_seconds: float


def turn(speaker: str, text: str, offset_seconds: float | None) -> Turn:
    """One turn; a negative or unknown offset is 0."""
    offset = max(0.0, offset_seconds or 0.0)
    return {"speaker": speaker, "text": text.strip(), "offset_seconds": round(offset, 2)}


def tidy(turns: Iterable[Turn]) -> list[Turn]:
    """Turns with text, in order of time, at most 2,000 of them and a million characters in all."""
    room = MAX_CHARACTERS
    kept: list[Turn] = []
    for one in sorted(turns, key=lambda each: each["offset_seconds"]):
        if not one["text"] or room <= 0 or len(kept) >= MAX_TURNS:
            continue
        kept.append({**one, "text": one["text"][:room]})
        room -= len(one["text"])
    return kept


def caller_text(turns: Sequence[Mapping[str, Any]]) -> str:
    """All that the caller said, one turn a line."""
    return "\n".join(one["text"] for one in turns if one["speaker"] == "caller")


# --- Masking -------------------------------------------------------------------------------------

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")
# 13 to 19 digits (ISO/IEC 7812), with spaces, dots or hyphens between them as people dictate them.
_CARD = re.compile(r"(?<![\d+])\d(?:[ .-]{0,2}\d){12,18}(?!\d)")


def mask(text: str) -> str:
    """`text` without card numbers and e-mail addresses."""
    text = _EMAIL.sub("[e-mail]", text) if "@" in text else text
    return _CARD.sub(lambda found: _mask_card(found[0]), text)


def _mask_card(text: str) -> str:
    digits = [int(character) for character in text if character.isdigit()]
    return "[card]" if _passes_luhn(digits) else text


def _passes_luhn(digits: Sequence[int]) -> bool:
    """ISO/IEC 7812-1, annex B: what makes 16 digits a card number and not a booking number."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def mask_turns(turns: Iterable[Turn]) -> list[Turn]:
    return [{**one, "text": mask(one["text"])} for one in turns]


# --- Search --------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+")
_MAX_WORD: Final = 60


def words_of(turns: Sequence[Mapping[str, Any]], summary: str) -> str:
    """The different words of all that is searched, in lower case, each after a space."""
    text = " ".join([summary, *(one["text"] for one in turns)]).lower()
    found = dict.fromkeys(word[:_MAX_WORD] for word in _WORD.findall(text))
    return "".join(f" {word}" for word in found)


def query_words(text: str) -> list[str]:
    """The words that a search asks for, in the form of `words_of`."""
    return list(dict.fromkeys(word[:_MAX_WORD] for word in _WORD.findall(text.lower())))


# --- Summary -------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"(?<=[.!?।])\s+")
_SUBSTANCE: Final = 4  # words; "Hello there." and "Yes please." say nothing about the matter


def summarise(turns: Sequence[Mapping[str, Any]], *, sentences: int = 2, limit: int = 400) -> str:
    """The first sentences of substance that the caller said: what a call is about stands there."""
    found = [
        sentence.strip()
        for sentence in _SENTENCE.split(caller_text(turns).replace("\n", " ").strip())
        if len(_WORD.findall(sentence)) >= _SUBSTANCE
    ]
    summary = " ".join(found[:sentences])
    return summary if len(summary) <= limit else summary[: limit - 1].rstrip() + "…"
