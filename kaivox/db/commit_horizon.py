"""Commit horizon: the instant before which every change is visible, so that none appears later.

A change gets its `updated_at` while its transaction runs and is seen when it commits. One that
commits late would appear behind the cursor of a reader who has already seen younger ones, and be
missed for good. So a list in the order of changes shows a change only once no transaction that began
before it is still writing. While no transaction writes, nothing is held back: a caller sees its own last change.

PostgreSQL knows its running writers, and `write_transaction` becomes one before it takes the time.
Of the writers of other database roles it shows the start only to superusers and to members of
pg_read_all_stats; to others it shows that they exist, and their transaction ids. Ids grow with
time: so each process records once a second which id is the next, and a writer whose id is not smaller
began after that record. SQLite has one writer at a time, which reads the clock inside the lock:
changes become visible in the order of their `updated_at`, and nothing has to be held back.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

# By how much the clocks of a web server and of the database may differ.
CLOCK_SKEW: Final = timedelta(seconds=1)

# The oldest writer whose start we may see, whether there are sessions that hide it, and the next id.
_VISIBLE_WRITERS: Final = """
    SELECT
        min(xact_start) FILTER (WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()),
        bool_or(query = '<insufficient privilege>'),
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint
    FROM pg_stat_activity WHERE datname = current_database()
"""
# The ids of writers that hide their start. Every writer holds the lock of its own id, which all see.
_HIDDEN_WRITERS: Final = """
    SELECT transactionid::text::bigint
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted
        AND datname = current_database() AND query = '<insufficient privilege>'
"""
_NOTES_AT_MOST: Final = 4_000
_NOTED_EVERY: Final = timedelta(seconds=1)
# No row is older, and a time zone can still be subtracted from it.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Of this process, oldest first: an instant, and the id that the next writer was to get at it.
_notes: deque[tuple[datetime, int]] = deque(maxlen=_NOTES_AT_MOST)


def visible_before_horizon(rows: QuerySet[Any], column: str = "updated_at") -> QuerySet[Any]:
    """`rows` whose `column` is not younger than the oldest transaction that still writes."""
    if connection.vendor != "postgresql":
        return rows
    return rows.filter(**{f"{column}__lte": _commit_horizon()})


def _commit_horizon() -> datetime:
    # Before the look at the writers: one who begins after it takes a later time.
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_VISIBLE_WRITERS)
        oldest, some_hide, next_id = cursor.fetchone()
        starts = [] if oldest is None else [oldest]
        if some_hide:
            cursor.execute(_HIDDEN_WRITERS)
            starts += [_begun_after(_whole_id(xid, next_id)) for (xid,) in cursor.fetchall()]
    if not _notes or now - _notes[-1][0] >= _NOTED_EVERY:
        _notes.append((now, next_id))
    return min([now, *(max(start, _EARLIEST) - CLOCK_SKEW for start in starts)])


def _begun_after(writer: int) -> datetime:
    """The latest instant of which we know that this writer began after it."""
    for noted_at, next_id in reversed(tuple(_notes)):
        if next_id <= writer:
            return noted_at
    return _EARLIEST  # older than this process: nothing is certain until it has ended


def _whole_id(xid: int, next_id: int) -> int:
    """The 64-bit id of a running transaction of whose id locks show the lower 32 bits."""
    behind = (next_id - xid) & 0xFFFFFFFF
    return next_id - (behind if behind < 1 << 31 else behind - (1 << 32))
