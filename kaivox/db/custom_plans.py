"""Makes PostgreSQL plan a query for the values in it.

psycopg prepares a repeated statement, and PostgreSQL soon plans it once for all values. That is right
for a look-up by key, where planning takes longer than running, and wrong for a filter: how many rows
match depends on the value, and a generic plan scanned a table of 200,000 rows where an index had the
one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def force_custom_plan() -> Iterator[None]:
    """Context in which PostgreSQL plans each query for its values."""
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
