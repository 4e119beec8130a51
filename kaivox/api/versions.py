"""Has anything changed that an answer shows? Then what was worked out for it need not be again.

Every change of a row moves its `updated_at`. So the newest one of each table that an answer is made
from, read from an index, names their state: a version. What was true at a version is remembered and
holds for as long as the version is read again, in this process. docs/decisions/0055.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.db import connection
from django.db.models import Model

from kaivox.api.settled import is_settled

# Whatever a version cannot see (SQL by hand, a clock set back) is seen after so long.
HOLDS_SECONDS: Final = 300.0
_MANY: Final = 5_000

_Values = tuple[Any, ...]


class Version:
    """The state of the rows of `models` of `business`, as of now: read it before what it is to
    stand for."""

    def __init__(self, business: Any, models: Sequence[type[Model]]) -> None:
        # Of the business all that is in hand: answers show its time zone, filters read its country.
        columns = [field.attname for field in business._meta.concrete_fields]
        self._newest = _read_newest(business.pk, tuple(models))
        self.values: _Values = (*(str(getattr(business, name)) for name in columns), *self._newest)

    def is_settled(self) -> bool:
        """Whether any later change will have another version; ask before you read the rows."""
        known = [instant for instant in self._newest if instant is not None]
        return not known or is_settled(max(known))


@dataclass(frozen=True, slots=True)
class _Fact:
    value: Any
    values: _Values
    until: float


class Memory:
    """What was true of named things at a version; of a few thousand, in this process."""

    def __init__(self) -> None:
        self._facts: dict[Hashable, _Fact | None] = {}

    def expect(self, name: Hashable) -> None:
        """What is asked for under `name` is worth keeping from now on."""
        if len(self._facts) >= _MANY:
            self._facts.clear()
        self._facts.setdefault(name, None)

    def expects(self, name: Hashable) -> bool:
        return name in self._facts

    def recall(self, name: Hashable, version: Version) -> Any:
        """What was kept under `name`, or None where the version is another by now."""
        fact = self._facts.get(name)
        if fact is None or fact.values != version.values or fact.until < time.monotonic():
            return None
        return fact.value

    def keep(self, name: Hashable, version: Version, value: Any) -> None:
        """`version` was settled before the rows were read that `value` was made from."""
        self.expect(name)
        self._facts[name] = _Fact(value, version.values, time.monotonic() + HOLDS_SECONDS)

    def forget_all(self) -> None:
        """As in a process that has just begun."""
        self._facts.clear()


def _read_newest(business_id: int, models: tuple[type[Model], ...]) -> _Values:
    with connection.cursor() as cursor:
        cursor.execute(_question(models), [business_id] * len(models))
        return tuple(cursor.fetchone())


@cache
def _question(models: tuple[type[Model], ...]) -> str:
    """All in one statement. By hand, as it is asked before each answer that may be spared."""
    quote = connection.ops.quote_name
    newest = (
        f"(SELECT max(updated_at) FROM {quote(model._meta.db_table)} WHERE business_id = %s)"  # noqa: S608 - our own tables
        for model in models
    )
    return f"SELECT {', '.join(newest)}"
