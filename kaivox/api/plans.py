"""For which values does PostgreSQL plan a query?

A statement that comes again is prepared, and after a few times planned once for all values: right
for one that asks by key, for which planning takes longer than running. It is wrong for a filter. How
many rows have a number, a status or a word depends on which, and a plan made without looking at it
walked through a table of 200,000 where an index had the one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def planned_for_its_values() -> Iterator[None]:
    """Within it each query is planned anew, for the values that stand in it."""
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    driver = connection.connection
    usual = driver.prepare_threshold
    driver.prepare_threshold = None
    try:
        yield
    finally:
        driver.prepare_threshold = usual
