"""SQLite's write-ahead log, whose pages hold earlier values until they are overwritten."""

from __future__ import annotations

from typing import Final

from django.db import connection

_WAIT_MS: Final = 500


def truncate_wal() -> bool:
    """Moves all changes into the database file and empties the log.

    Returns False inside a transaction, and where others read or write at this moment: the log then
    holds its pages until the next call. On PostgreSQL, whose server recycles its log, nothing is to be
    done.
    """
    if connection.vendor != "sqlite":
        return True
    if connection.in_atomic_block:
        return False
    with connection.cursor() as cursor:
        patience = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        # While the checkpoint waits for readers it holds up writers.
        cursor.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
        try:
            is_busy = bool(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience}")
    return not is_busy
