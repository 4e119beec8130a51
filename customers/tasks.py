"""Periodic tasks of customers."""

from celery import shared_task

from customers import operations
from kaivox.db.clock import database_now


@shared_task
def refresh_segments() -> None:
    """Nightly: updates the segments that change with time alone."""
    operations.refresh_segments(now=database_now())
