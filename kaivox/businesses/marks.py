"""Has anything changed about a business, its keys or its plan since a process last looked?

Each change leaves a mark that every process sees at its next request: a value in Redis, or, where
there is none, the state of one file. So keys may be remembered for seconds and a revoked one still
fails at once.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from django.conf import settings
from django.db import transaction

from kaivox import redis_store
from kaivox.redis_store import StoreAway

logger = logging.getLogger(__name__)

# Longer than any process remembers a key.
_MARK_SECONDS: Final = 600

# Instead of a business's id: changes of any business.
EVERYBODY: Final = 0


class Mark(NamedTuple):
    """`value` as all processes see it, and how many changes this one has made itself."""

    value: Any
    own: int


class _Marks(Protocol):
    def read(self, business_id: int) -> Any: ...

    def leave(self, business_id: int) -> None: ...


class _InRedis:
    def read(self, business_id: int) -> Any:
        return redis_store.breaker.call(lambda: redis_store.client().get(name_of(business_id)))

    def leave(self, business_id: int) -> None:
        pipeline = redis_store.client().pipeline(transaction=False)
        for name in (name_of(business_id), name_of(EVERYBODY)):
            pipeline.set(name, secrets.token_hex(8), ex=_MARK_SECONDS)
        redis_store.breaker.call(pipeline.execute)


class _InFile:
    """One file for all businesses: a change makes all be looked up anew, which costs little."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, business_id: int) -> Any:
        try:
            state = os.stat(self._path)
        except FileNotFoundError:
            return None
        return state.st_ino, state.st_mtime_ns

    def leave(self, business_id: int) -> None:
        # Another file each time: two changes within one tick of the clock differ too.
        fresh = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        fresh.touch()
        fresh.replace(self._path)


# Changes made by this process. They count before they are committed, for this process sees them.
_own: Counter[int] = Counter()


def read_mark(business_id: int) -> Mark:
    """Equal to the one read before unless something changed in between. Raises StoreAway."""
    return mark_of(_marks().read(business_id), business_id)


def mark_of(value: Any, business_id: int) -> Mark:
    """The mark of which somebody else has read the value in Redis, at `name_of(business_id)`."""
    return Mark(value, _own[business_id])


def stands_here(mark: Mark, business_id: int) -> bool:
    """Whether this process at least has changed nothing since."""
    return mark.own == _own[business_id]


def leave_mark(business_id: int) -> None:
    """Tells all processes, once the present transaction is committed, to look again."""
    _own.update((business_id, EVERYBODY))
    transaction.on_commit(lambda: _tell_others(business_id), robust=True)


def leave_rows_mark(business_id: int) -> None:
    """Tells all processes, once the present transaction is committed, that rows of the business have
    changed which answers show. Only where there is Redis; whoever relies on it looks again within
    seconds, in case it was away."""
    if settings.REDIS_URL:
        transaction.on_commit(lambda: _tell_of_rows(business_id), robust=True)


def _tell_of_rows(business_id: int) -> None:
    name, value = rows_name_of(business_id), secrets.token_hex(8)
    with suppress(StoreAway):
        redis_store.breaker.call(lambda: redis_store.client().set(name, value, ex=_MARK_SECONDS))


def _tell_others(business_id: int) -> None:
    try:
        _marks().leave(business_id)
    except StoreAway:
        logger.warning(
            "Business %s changed while Redis is away: web processes see it within seconds",
            business_id,
        )


@cache
def _marks() -> _Marks:
    return _InRedis() if settings.REDIS_URL else _InFile(settings.VAR / "changed")


def name_of(business_id: int) -> str:
    """The mark's key in Redis, which shares its hash tag with the business's quota."""
    return f"access:{{b{business_id}}}"


def rows_name_of(business_id: int) -> str:
    """The same for the mark of its rows."""
    return f"rows:{{b{business_id}}}"
