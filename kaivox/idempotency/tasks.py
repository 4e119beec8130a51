"""What the idempotency room does on time."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from kaivox.idempotency import operations


@shared_task
def prune() -> None:
    """Hourly: answers older than a day are forgotten."""
    operations.prune(now=timezone.now())
