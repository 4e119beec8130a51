"""Django's `migrate` with limits for a database that serves requests at the same time."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Final

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections

from kaivox.reporting.logins import views_outside_migrations

# Requests queue behind a migration that waits for a lock, so it waits for a short time only. Once it has
# its locks it may run longer than the statement_timeout of requests.
_LIMITS: Final = {
    "lock_timeout": "3s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        with connection.cursor() as cursor:
            for name, value in _LIMITS.items():
                cursor.execute(f"SET {name} = '{value}'")
        only_shows = options["plan"] or options["check_unapplied"]
        try:
            with nullcontext() if only_shows else views_outside_migrations():
                super().handle(*args, **options)
        except OperationalError as error:
            if "lock timeout" not in str(error):
                raise
            raise CommandError(
                "A table that this migration changes stayed locked for 3 seconds. The migration was "
                "rolled back: run migrate again."
            ) from error
        finally:
            if connection.is_usable():
                with connection.cursor() as cursor:
                    for name in _LIMITS:
                        cursor.execute(f"RESET {name}")
