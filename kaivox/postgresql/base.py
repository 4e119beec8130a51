"""Django's PostgreSQL, which does not ask a connection whether it lives where it can be seen.

Each request takes a connection from the pool, and the pool asks it first: a round trip, as long as
most of our queries. A server that ends a connection says so, and then there is something to read on
it; one that is silent and was used a moment ago lives. One that has lain idle is asked as ever: a
firewall may have dropped it without a word.
"""

from __future__ import annotations

import select
import time
from typing import Any, Final

from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

ASKED_AFTER_SECONDS: Final = 5.0


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None and pool._check is not None:
            pool._check = check_alive  # Django makes the pool, and leaves no choice of this
        return pool


def check_alive(connection: Any) -> None:
    """Raises OperationalError where `connection` is dead."""
    now = time.monotonic()
    used_at = getattr(connection, "taken_at", float("-inf"))
    connection.taken_at = now
    if now - used_at >= ASKED_AFTER_SECONDS or _has_something_to_read(connection):
        ConnectionPool.check_connection(connection)


def _has_something_to_read(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
