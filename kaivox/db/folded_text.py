"""Text folded for comparison, by one rule on every database.

SQLite folds ASCII letters only, PostgreSQL follows the collation of the database, and neither removes
accents without an extension. So text is folded in Python and stored in a column of its own, which
plain, indexed comparisons use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from django.db import models

# Of Latin, Greek and Cyrillic. Marks of other scripts, such as the vowel signs of Hindi, are letters.
_ACCENTS = re.compile("[\u0300-\u036f]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]+")
# Letters with a stroke are not decomposed by Unicode; PostgreSQL's `unaccent` maps them the same way.
_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})


def fold_case(text: str) -> str:
    """`text` for a comparison without case: `É@X` and `é@x` are equal, `é@x` and `e@x` are not."""
    # Upper case first: it makes the Turkish dotless i equal to i, which case folding alone does not.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).upper().casefold())


def fold_for_search(text: str) -> str:
    """`text` without case, accents and repeated white space: `Élodie  ØRSTED` is `elodie orsted`."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text).upper().casefold())
        text = unicodedata.normalize("NFKC", _ACCENTS.sub("", text)).translate(_STROKES)
    return " ".join(text.lower().split())


class FoldedTextField(models.TextField):
    """The folded text of other columns of its row, set whenever the row is saved.

    `of` are the names of the columns; their texts are joined by line ends, which no folded text
    contains. `fold` is a function of this module. `QuerySet.update` of a column in `of` must set the
    folded text as well.
    """

    def __init__(
        self, *args: Any, of: Sequence[str], fold: Callable[[str], str], **kwargs: Any
    ) -> None:
        self.of, self.fold = tuple(of), fold
        # The database's default lets the previous version insert rows while it is being replaced.
        options: dict[str, Any] = {
            "default": "",
            "db_default": "",
            "blank": True,
            "editable": False,
        }
        super().__init__(*args, **(options | kwargs))

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of, "fold": self.fold}

    def text_of(self, row: models.Model) -> str:
        """The folded text of `row` as its columns are now."""
        return "\n".join(self.fold(getattr(row, name)) for name in self.of)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        text = self.text_of(model_instance)
        setattr(model_instance, self.attname, text)
        return text
