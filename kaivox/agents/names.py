"""Fuzzy look-up by name: ignores case, accents, titles and small typos. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# Titles that people leave out or add.
_TITLES: Final = frozenset(
    {"dr", "doctor", "doctora", "dra", "prof", "professor", "mr", "mrs", "ms", "miss", "sir"}
    | {"madam", "shri", "smt", "sr", "sra", "senor", "senora", "don", "dona", "the", "a", "with"}
)
_ANYONE: Final = frozenset(
    {"any", "anyone", "anybody", "no preference", "whoever", "none", "null", "any staff"}
    | {"first available", "cualquiera", "no", "n a", "either", "someone"}
)
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Matches(Generic[T]):
    """The best matches, all equally good: none, the one that is meant, or several to offer."""

    found: Sequence[T]

    @property
    def only(self) -> T | None:
        return self.found[0] if len(self.found) == 1 else None


def find_by_name(wanted: str, named: Iterable[tuple[str, T]]) -> Matches[T]:
    """Those of `named` that `wanted` may mean; the closest kind of match alone."""
    words = _words(wanted)
    if not words:
        return Matches([])
    best, found = len(_KINDS), list[T]()
    for name, item in named:
        kind = _kind_of_match(words, _words(name))
        if kind < best:
            best, found = kind, [item]
        elif kind == best < len(_KINDS):
            found.append(item)
    return Matches(found)


def means_anyone(text: str) -> bool:
    """Whether `text` is a way to say that it does not matter who."""
    return " ".join(_split(text)) in _ANYONE


def _words(name: str) -> list[str]:
    words = _split(name)
    return [word for word in words if word not in _TITLES] or words


def _split(name: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", name[:_LONGEST])
    # Accents of Latin, Greek and Cyrillic only: in other scripts such marks are vowels.
    unaccented = "".join(one for one in decomposed if not "\u0300" <= one <= "\u036f")
    composed = unicodedata.normalize("NFC", unaccented).casefold().replace("'", "").replace("’", "")
    return re.sub(r"[^\w\u0900-\u0dff]+", " ", composed).split()


def _same(wanted: list[str], name: list[str]) -> bool:
    return sorted(wanted) == sorted(name)


def _has_words(wanted: list[str], name: list[str]) -> bool:
    return set(wanted) <= set(name) or set(name) <= set(wanted)


def _begins(wanted: list[str], name: list[str]) -> bool:
    return all(len(one) >= 2 and any(other.startswith(one) for other in name) for one in wanted)


def _nearly_same(wanted: list[str], name: list[str]) -> bool:
    if _is_close("".join(wanted), "".join(name)):
        return True
    return len(wanted) == len(name) and _sounds_like(wanted, name)


def _sounds_like(wanted: list[str], name: list[str]) -> bool:
    return all(any(_is_close(one, other) for other in name) for one in wanted)


_KINDS: Final = (_same, _has_words, _begins, _nearly_same, _sounds_like)


def _kind_of_match(wanted: list[str], name: list[str]) -> int:
    return next(
        (kind for kind, matches in enumerate(_KINDS) if name and matches(wanted, name)),
        len(_KINDS),
    )


def _is_close(one: str, other: str) -> bool:
    """Whether one edit turns one into the other, two in words of eight characters or more."""
    longest = max(len(one), len(other))
    allowed = 0 if longest < 4 else 1 if longest < 8 else 2
    return abs(len(one) - len(other)) <= allowed and _distance(one, other, allowed) <= allowed


def _distance(one: str, other: str, enough: int) -> int:
    """Edits between two words: insert, delete, replace, or swap of neighbours (optimal string
    alignment). Anything over `enough` may be returned too low."""
    before, above = list[int](), list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        here = [row]
        for column, right in enumerate(other, 1):
            cost = min(above[column] + 1, here[-1] + 1, above[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                cost = min(cost, before[column - 2] + 1)
            here.append(cost)
        if min(here) > enough:
            return enough + 1
        before, above = above, here
    return above[-1]
