"""Messages for unknown names: the closest known one, and the list of all."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def unknown_name(name: str, known: Iterable[str], *, noun: str) -> str:
    """`There is no such field here. Did you mean "notes"? Known: metadata, notes.`"""
    names = sorted(known)
    sentences = [f"There is no such {noun} here."]
    # The comparison is quadratic in the length, and no name of ours has 60 characters.
    if close := get_close_matches(name[:60].lower(), names, n=1):
        sentences.append(f'Did you mean "{close[0]}"?')
    sentences.append(f"Known: {', '.join(names)}." if names else f"It takes no {noun}s.")
    return " ".join(sentences)
