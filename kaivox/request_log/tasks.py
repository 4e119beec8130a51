"""Celery tasks of the request log."""

from __future__ import annotations

from celery import shared_task

from kaivox.db.clock import database_now
from kaivox.request_log import operations


@shared_task
def prune() -> None:
    """Hourly: deletes entries older than REQUEST_LOG_DAYS."""
    operations.prune(now=database_now())
