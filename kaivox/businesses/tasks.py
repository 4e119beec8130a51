"""Periodic tasks of businesses and their people."""

from __future__ import annotations

from celery import shared_task

from kaivox.businesses import denormalized_names, retention
from kaivox.businesses.security_notices import send_security_notices
from kaivox.db.clock import database_now
from kaivox.db.write_ahead_log import truncate_wal


@shared_task
def send_notices() -> None:
    """E-mails people about changes to their security."""
    send_security_notices(now=database_now())


@shared_task
def touch_pending() -> None:
    """Every five seconds: `updated_at` of rows that show values of a changed row."""
    denormalized_names.touch_pending()


@shared_task
def prune_records() -> None:
    """Nightly: sessions, login attempts, the admin log and the audit."""
    retention.prune_records(now=database_now())
    truncate_wal()  # of what was erased while others were reading
