"""Which changes are settled, so that no older one can still appear?

A change gets its `updated_at` while its transaction runs and is seen when it commits. One that
commits late would appear behind the cursor of a reader who has already seen younger ones, and be
missed for good. So a list in the order of changes shows a change only once nobody who began before
it is still writing. Nothing waits while nobody writes: what you have just changed is there.

PostgreSQL knows its running writers, and `write_transaction` makes itself known as one before it
takes the time. SQLite has one writer at a time, who takes the time inside the lock: changes become
visible in the order of their `updated_at`, and nothing need be held back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

# By how much the clocks of a web server and of the database may differ.
CLOCK_SKEW: Final = timedelta(seconds=1)

_OLDEST_WRITER: Final = """
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""


def settled(rows: QuerySet[Any]) -> QuerySet[Any]:
    """`rows` without changes that are younger than the oldest transaction that still writes."""
    if connection.vendor != "postgresql":
        return rows
    return rows.filter(updated_at__lte=_horizon())


def is_settled(newest: Any) -> bool:
    """Whether every change that is not visible yet, or is still to come, is younger than `newest`,
    an `updated_at` as the database returns it.

    Never of one of the last second: that much clocks may differ, and a time is taken a moment
    before its transaction can be seen to write.
    """
    if newest >= _as_stored(timezone.now() - CLOCK_SKEW):
        return False
    return connection.vendor != "postgresql" or bool(newest < _horizon())


def _as_stored(instant: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(instant)


def _horizon() -> datetime:
    # Before the look at the writers: one who begins after it takes a later time.
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_WRITER)
        (oldest,) = cursor.fetchone()
    return now if oldest is None else min(now, oldest - CLOCK_SKEW)
