"""Something is due: how does a worker hear of it at once, without anybody waiting for the broker?

`nudge` only sets a flag; a thread of its own publishes. So a broker that is down, or takes packets
and never answers, costs a request nothing, and a hundred events in a second make few messages. A
hint that is lost costs latency alone: what is due stands in the database, and the sweep finds it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)

# After a publish that failed, how long nobody knocks at the broker again.
REST_SECONDS: Final = 5.0

_lock = threading.Lock()
_wanted = threading.Event()
_thread: threading.Thread | None = None


def publish_hint() -> None:
    """One message that wakes a worker; may block and may fail. Late it is worthless: the sweep was
    there before it."""
    app = import_string(settings.TASK_APP)
    app.send_task("webhooks.deliver_due", expires=60, retry=False)


def nudge_on_commit() -> None:
    """Wakes the workers once the transaction of now is committed; once, however often asked."""
    if any(entry[1] is nudge for entry in connection.run_on_commit):
        return
    transaction.on_commit(nudge, robust=True)


def nudge() -> None:
    """Wakes the workers. Returns at once, whatever the broker does."""
    _wanted.set()
    if _thread is None or not _thread.is_alive():
        _start_thread()


def _start_thread() -> None:
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_publish_for_ever, name="webhook-hints", daemon=True)
            _thread.start()


def _publish_for_ever() -> None:
    while True:
        _wanted.wait()
        _wanted.clear()
        try:
            publish_hint()
        except Exception as error:  # noqa: BLE001 - every broker library has its own
            logger.warning("The broker took no hint (%s); the sweep will deliver.", error)
            time.sleep(REST_SECONDS)


def _forget_thread() -> None:
    global _lock, _wanted, _thread
    _lock, _wanted, _thread = threading.Lock(), threading.Event(), None


os.register_at_fork(after_in_child=_forget_thread)
