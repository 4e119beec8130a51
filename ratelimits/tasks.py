"""Later: totals written down, letters written, old totals dropped."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ratelimits import operations


@shared_task
def write_down_usage() -> None:
    """Each minute. Without Redis the web process does it: only it can see its memory."""
    if settings.REDIS_URL:
        operations.write_down_usage(now=timezone.now())
    operations.warn_businesses(now=timezone.now())


@shared_task
def prune_usage() -> None:
    """Each night."""
    operations.prune_usage(now=timezone.now())
