"""Lists of related rows below the form of a change page.

An app adds them to the admin of a model in a lower layer, which must not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kaivox.registry import Registry


@dataclass(frozen=True, slots=True)
class RelatedRow:
    """`cells` as shown; the first one links to `url`."""

    url: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class RelatedList:
    """The latest related rows; `url` is the changelist with all of them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[RelatedRow]
    url: str


# Functions `(row) -> RelatedList`, by the model's label; None: the row has no such list.
related_lists: Final[Registry[Callable[[Any], RelatedList | None]]] = Registry(
    "related lists in the admin"
)
