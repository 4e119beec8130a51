"""Deletes expired idempotency records."""

from __future__ import annotations

from celery import shared_task

from kaivox.db.clock import database_now
from kaivox.idempotency import operations


@shared_task
def prune() -> None:
    """Hourly: deletes records older than a day."""
    operations.prune(now=database_now())
