"""Wakes workers when a delivery is due, without making a request wait for the broker.

`wake_workers` only sets a flag; a background thread publishes. So a broker that is down, or accepts
packets and never responds, costs a request nothing, and a hundred events in a second make few
messages. A lost wake-up costs latency only: due deliveries are rows in the database, and the sweep
finds them.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextvars import Context, copy_context
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)

# Pause after a failed publish, so that a broken broker is not flooded with attempts.
COOLDOWN_SECONDS: Final = 5.0

_lock = threading.Lock()
_wanted = threading.Event()
_thread: threading.Thread | None = None
# Of the latest request that called `wake_workers`: its id, for the worker's log, and its span.
_context = Context()


def publish_wakeup() -> None:
    """Publishes one message that wakes a worker; may block and may fail. It expires after a minute,
    because the sweep has run by then."""
    app = import_string(settings.CELERY_APP)
    app.send_task("webhooks.deliver_due", expires=60, retry=False)


def wake_workers_on_commit() -> None:
    """Wakes the workers when the current transaction commits; once, however often called."""
    if any(entry[1] is wake_workers for entry in connection.run_on_commit):
        return
    transaction.on_commit(wake_workers, robust=True)


def wake_workers() -> None:
    """Wakes the workers. Never blocks, whatever state the broker is in."""
    global _context
    _context = copy_context()
    _wanted.set()
    if _thread is None or not _thread.is_alive():
        _start_thread()


def _start_thread() -> None:
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_publish_forever, name="webhook-wakeups", daemon=True)
            _thread.start()


def _publish_forever() -> None:
    while True:
        _wanted.wait()
        _wanted.clear()
        try:
            _context.run(publish_wakeup)
        except Exception as error:  # noqa: BLE001 - every broker library has its own
            logger.warning(
                "The broker did not accept a wake-up (%s); the sweep will deliver.", error
            )
            time.sleep(COOLDOWN_SECONDS)


def _reset_after_fork() -> None:
    global _lock, _wanted, _thread
    _lock, _wanted, _thread = threading.Lock(), threading.Event(), None


os.register_at_fork(after_in_child=_reset_after_fork)
