"""When webhooks go out: on a hint, and every two seconds in any case."""

from __future__ import annotations

from celery import shared_task


def publish_hint() -> None:
    """One message that wakes a worker. Late it is worthless: the sweep was there before it."""
    deliver_due.apply_async(expires=60, retry=False)


@shared_task(name="webhooks.deliver_due")
def deliver_due() -> None:
    """Sends what is due."""
