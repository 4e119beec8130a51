"""Transcripts: normalizes turns, extracts searchable words, writes a summary. Pure.

A transcript is a list of turns as the API shows them: `{"speaker": "agent" | "caller", "text",
"offset_seconds"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

from calls import words

MAX_TURNS: Final = 2_000
MAX_CHARACTERS: Final = 1_000_000


class Turn(TypedDict):
    speaker: str
    text: str
    offset_seconds: float | None


def turn(speaker: str, text: str, offset_seconds: float | None) -> Turn:
    """One turn; a negative offset is 0, an unknown one stays None until `tidy`."""
    offset = None if offset_seconds is None else round(max(0.0, offset_seconds), 2)
    return {"speaker": speaker, "text": text.strip(), "offset_seconds": offset}


def tidy(turns: Iterable[Turn]) -> list[Turn]:
    """Turns with text, in their order, at most 2,000 of them and a million characters in all.
    One without an offset has that of the turn before."""
    remaining = MAX_CHARACTERS
    found: list[Turn] = []
    offset = 0.0
    for one in turns:
        if one["offset_seconds"] is not None:
            offset = one["offset_seconds"]
        if not one["text"] or remaining <= 0 or len(found) >= MAX_TURNS:
            continue
        text = one["text"][:remaining]
        found.append({"speaker": one["speaker"], "text": text, "offset_seconds": offset})
        remaining -= len(text)
    return found


_SPEAKERS: Final = {
    **dict.fromkeys(
        ("agent", "ai", "assistant", "bot", "transfer target", "transfer_target"), "agent"
    ),
    **dict.fromkeys(("caller", "customer", "user"), "caller"),
}


def turns_of_text(text: str) -> list[Turn]:
    """`AI: Hello.\\nUser: Hi.` as turns without offsets; a line without a speaker continues the
    turn before it."""
    turns: list[Turn] = []
    for line in text.splitlines():
        who, colon, text = line.partition(":")
        speaker = _SPEAKERS.get(who.strip().lower())
        if colon and speaker:
            turns.append(turn(speaker, text, None))
        elif turns and line.strip():
            turns[-1]["text"] = f"{turns[-1]['text']} {line.strip()}".strip()
    return turns


def caller_text(turns: Sequence[Mapping[str, Any]]) -> str:
    """All that the caller said, one turn a line."""
    return "\n".join(one["text"] for one in turns if one["speaker"] == "caller")


# --- Search --------------------------------------------------------------------------------------


def words_of(turns: Sequence[Mapping[str, Any]], summary: str) -> str:
    """The words of everything that is searched: see `calls.words`."""
    return words.words_of([summary, *(one["text"] for one in turns)])


# --- Summary -------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"(?<=[.!?।])\s+")
_MIN_WORDS: Final = 4  # of a sentence; "Hello there." and "Yes please." do not say what it is about
_SUMMARISED: Final = 20_000  # characters: callers say at the beginning why they call


def summarise(turns: Sequence[Mapping[str, Any]], *, sentences: int = 2, limit: int = 400) -> str:
    """The caller's first sentences of four words or more."""
    text = caller_text(turns)[:_SUMMARISED].replace("\n", " ").strip()
    found = [
        sentence.strip()
        for sentence in _SENTENCE.split(text)
        if len(words.WORD.findall(sentence)) >= _MIN_WORDS
    ]
    summary = " ".join(found[:sentences])
    return summary if len(summary) <= limit else summary[: limit - 1].rstrip() + "…"


def repeats_speech(summary: str, turns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every sentence of `summary` was said by the caller, as in those of `summarise`."""
    said = " ".join(caller_text(turns).split())
    sentences = [" ".join(one.split()) for one in _SENTENCE.split(summary.removesuffix("…"))]
    return bool(summary) and all(sentence in said for sentence in sentences)
