"""The database's clock, by which what is due is judged: those of web servers and workers differ."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Value
from django.db.models.functions import Least, Now
from django.utils import timezone


def database_now() -> datetime:
    """The time of the database server; with SQLite, which has no server, of this machine."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    return now


def not_after_database_now(now: datetime) -> Least:
    """`now`, a time of this process, or the database's time where this process's clock is ahead."""
    return Least(Value(now, output_field=DateTimeField()), Now())
