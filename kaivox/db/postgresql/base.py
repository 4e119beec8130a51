"""Django's PostgreSQL backend with a cheaper health check, a client-side timeout and a faster reader of
instants.

Connections are persistent, and before the first query of a request Django checks them
(`CONN_HEALTH_CHECKS`) with a query: a round trip per request. docs/decisions/0074.

A server that accepts and then stays silent is abandoned after a while, so that a request always gets
its response: `statement_timeout` runs on the server and does not help there.
"""

from __future__ import annotations

import select
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg import errors


class Connection(psycopg.Connection[Any]):
    """psycopg's Connection, with a timeout of `patience` seconds for each statement; None: no timeout."""

    patience: ClassVar[float | None] = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        # What wait() itself raises has no public name. tests/db/test_postgresql.py fails without it.
        except errors._WaitTimeout as error:
            # A late result would be read as the result of the next statement.
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"The database did not answer within {self.patience:g} s."
            ) from error


class InstantLoader(BaseTzLoader):  # type: ignore[misc]
    """Reads a `timestamptz` of a session in UTC, about seven times as fast as psycopg's loader in Python.

    Django uses it while `DATABASES` has no time zone of its own. What Python cannot read, such as
    `infinity` or another DateStyle, psycopg's loader reads or rejects.
    """

    timezone = UTC

    def load(self, data: Any) -> datetime:
        try:
            return datetime.fromisoformat(str(data, "ascii"))  # its tzinfo is `datetime.UTC` itself
        except ValueError:
            return super().load(data)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection = Connection.connect(**conn_params)
        if self.timezone is UTC:
            connection.adapters.register_loader("timestamptz", InstantLoader)
        return connection

    def is_usable(self) -> bool:
        """A server that ends a connection says so, or closes it: then there is something to read on
        one that waits for no answer. One that is cut off in silence is found by
        `tcp_user_timeout`."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
