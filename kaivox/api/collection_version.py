"""Version of a collection, read without its rows: the change counts of the tables that it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.cache import cache as shared_cache
from django.db import connection
from django.db.models import Model, QuerySet

from kaivox import redis
from kaivox.db.change_counters import change_count

# Only the current version of a collection is asked for, so totals of old ones must expire.
_TOTAL_SECONDS: Final = 600


def collection_version(business: Any, models: Sequence[type[Model]]) -> str:
    """A digest that changes with any row of `models` of the business, the business or our code.

    Read it before the rows: read after them it could name a newer state than the one shown.
    """
    values = [str(getattr(business, field.attname)) for field in business._meta.concrete_fields]
    return _digest(code_version(), *values, change_count(connection, business.pk, models))


def weak_etag(version: str, *depends_on: str) -> str:
    """The entity tag of a representation of a collection at `version` (RFC 9110 §8.8.3)."""
    return f'W/"{_digest(version, *depends_on)}"'


class Total(NamedTuple):
    """How many rows a list has, or where it was not counted to the end, that it has at least so many."""

    number: int
    is_exact: bool = True


def count_rows(rows: QuerySet[Any]) -> Total:
    """Counts `rows`, up to their `count_limit` where they have one."""
    total, limit = rows.count(), getattr(rows, "count_limit", None)
    return Total(total, limit is None or total < limit)


def cached_count(rows: QuerySet[Any], version: str, *depends_on: str) -> Total:
    """`count_rows` of the collection at `version`, filtered by what `depends_on` says."""
    key = f"total:{_digest(version, *depends_on)}"
    known: tuple[int, bool] | None = _ask_cache(lambda: shared_cache.get(key))
    if known is not None:
        return Total(*known)
    total = count_rows(rows)
    _ask_cache(lambda: shared_cache.set(key, tuple(total), _TOTAL_SECONDS))
    return total


def _ask_cache(ask: Callable[[], Any]) -> Any:
    """None where Redis is unavailable; the circuit breaker bounds how long a request waits for it."""
    try:
        return redis.breaker.call(ask)
    except redis.RedisUnavailable:
        return None


def _digest(*values: object) -> str:
    return blake2b(repr(values).encode(), digest_size=12).hexdigest()


@cache
def code_version() -> str:
    """Digest of our modules and pinned packages: a release may show the same rows differently."""
    folders = [Path(app.path) for app in apps.get_app_configs()]
    ours = [folder for folder in folders if "site-packages" not in folder.parts]
    files = {
        settings.BASE_DIR / "requirements.txt",
        *(f for one in ours for f in one.rglob("*.py")),
    }
    return _digest(*(blake2b(file.read_bytes()).digest() for file in sorted(files)))
