"""Commands on a database that is not migrated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError


@contextmanager
def migrated_database() -> Iterator[None]:
    """Raises CommandError instead of the database's error about a table that does not exist."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        # SQLite: "no such table: …"; PostgreSQL: 'relation "…" does not exist'.
        if "no such table" in str(error) or 'relation "' in str(error):
            raise CommandError(
                "The database is not migrated. Run: .venv/bin/python manage.py migrate"
            ) from error
        raise
