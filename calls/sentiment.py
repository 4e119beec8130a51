"""How did the caller feel? A scorer of ours, offline; see docs/decisions on how it was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

METHOD: Final = "rules-1"


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is from -1 to 1."""

    sentiment: str
    value: float


def score(text: str) -> Score | None:
    return None
