"""Faults at single SQL statements, injected through Django's `connection.execute_wrapper`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

# How a write transaction begins within the transaction of a test.
BEGIN = "SAVEPOINT"
INSERT_APPOINTMENT = 'INSERT INTO "appointments_appointment"'
INSERT_EVENT = 'INSERT INTO "webhooks_event"'


@contextmanager
def at_statement(
    prefix: str,
    *,
    before: Callable[[], Any] | None = None,
    after: Callable[[], Any] | None = None,
    times: int = 1,
) -> Iterator[None]:
    """Calls `before` or `after` at the first `times` statements that begin with `prefix`."""
    left = times

    def intercept(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal left
        if not left or not sql.startswith(prefix):
            return execute(sql, params, many, context)
        left -= 1
        if before is not None:
            before()
        result = execute(sql, params, many, context)
        if after is not None:
            after()
        return result

    with connection.execute_wrapper(intercept):
        yield
    assert left == 0 or times > 1, f"No statement began with {prefix}."
