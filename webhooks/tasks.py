"""Celery tasks of webhooks: delivery on a wake-up and every two seconds, e-mails, retention."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from kaivox.db.clock import database_now
from webhooks.authorization import pause_endpoints_of_ended_keys
from webhooks.circuit_breaker import cancel_stranded
from webhooks.delivery_queue import has_due, release_expired_leases
from webhooks.dispatcher import dispatcher
from webhooks.notifications import send_due_notifications
from webhooks.retention import prune


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> None:
    """Sends due deliveries."""
    dispatcher.run()


@shared_task(name="webhooks.sweep")
def sweep() -> None:
    """Releases the leases of lost workers, then sends due deliveries."""
    now = database_now()
    release_expired_leases(now=now)
    # A compiled query: at rest, building that of a claim was most of what a worker did.
    if has_due(now):
        dispatcher.run()


@shared_task(name="webhooks.send_notices")
def send_notifications() -> None:
    """Pauses endpoints whose key has ended, and e-mails businesses about disabled endpoints."""
    pause_endpoints_of_ended_keys(now=database_now())
    send_due_notifications(now=database_now())


@shared_task(name="webhooks.prune")
def prune_log() -> None:
    """Deletes log rows older than WEBHOOK_RETENTION_DAYS."""
    now = database_now()
    cancel_stranded(now=now)
    prune(before=now - timedelta(days=settings.WEBHOOK_RETENTION_DAYS))


@worker_shutting_down.connect
def _stop_claiming(**_: object) -> None:
    dispatcher.stop()
