"""Celery tasks of quotas: storing usage, warnings by e-mail, retention."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from kaivox.db.clock import database_now
from ratelimits import operations


@shared_task(name="ratelimits.tasks.write_down_usage")
def flush_usage() -> None:
    """Runs each minute. Without Redis the web process stores usage: no task sees its memory."""
    if settings.REDIS_URL:
        operations.flush_usage(now=database_now())
    operations.send_quota_warnings(now=database_now())


@shared_task(name="ratelimits.tasks.prune_usage")
def prune_usage() -> None:
    """Runs each night."""
    operations.prune_usage(now=database_now())
