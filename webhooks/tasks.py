"""When webhooks go out: on a hint, and every two seconds in any case."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from kaivox.errors import Unavailable
from webhooks.dispatch import dispatcher
from webhooks.endpoint_health import call_off_stranded
from webhooks.notices import send_due_notices
from webhooks.outbox import release_lost
from webhooks.retention import prune

logger = logging.getLogger(__name__)


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> None:
    """Sends what is due."""
    with _database_may_be_away():
        dispatcher.run()


@shared_task(name="webhooks.sweep")
def sweep() -> None:
    """Takes up what lost workers left, then sends what is due."""
    with _database_may_be_away():
        release_lost(now=timezone.now())
        dispatcher.run()


@shared_task(name="webhooks.send_notices")
def send_notices() -> None:
    """Tells businesses of endpoints that were switched off."""
    send_due_notices(now=timezone.now())


@shared_task(name="webhooks.prune")
def prune_log() -> None:
    """Deletes what is older than the log is kept."""
    call_off_stranded(now=timezone.now())
    prune(before=timezone.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS))


@contextmanager
def _database_may_be_away() -> Iterator[None]:
    """One line in the log, not a traceback every two seconds: the next sweep tries again."""
    try:
        yield
    except (OperationalError, InterfaceError, Unavailable) as error:
        logger.warning("Webhooks wait for the database: %s", str(error).partition("\n")[0])


@worker_shutting_down.connect
def _finish_what_is_under_way(**_: object) -> None:
    dispatcher.stop()
