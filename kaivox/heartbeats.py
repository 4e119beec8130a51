"""Heartbeats of workers and beat.

A worker's main loop, and beat after each task that it publishes, call `record`. It touches a file, for
health checks on the same machine that must not depend on any server, and has a row written to the
database, for `/readyz` and `/metrics` on other machines. A separate thread writes the row, so that a
database that hangs does not block the loop.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import Error, connection
from django.db.models import Max
from django.db.models.functions import Now

from kaivox.db.clock import database_now
from kaivox.db.transactions import write_transaction
from kaivox.errors import Unavailable
from kaivox.models import Heartbeat

logger = logging.getLogger(__name__)

WORKER: Final = "worker"
BEAT: Final = "beat"
# A process without a heartbeat for longer counts as dead.
ALIVE_SECONDS: Final = 60.0
WRITE_INTERVAL_SECONDS: Final = 10.0
_RETENTION: Final = timedelta(days=1)

_lock = threading.Lock()
_pending = threading.Event()
_thread: threading.Thread | None = None


def record(kind: str) -> None:
    """Records that this process, a worker or beat, is alive. Does not wait for the database."""
    global _thread
    path = file_of(kind)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        logger.warning("The heartbeat file %s cannot be written: %s", path, error)
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_write_rows, args=(kind,), daemon=True)
            _thread.start()
    _pending.set()


def file_of(kind: str) -> Path:
    return settings.DATA_DIR / "heartbeats" / kind


def seconds_since_file(kind: str) -> float | None:
    """Seconds since the last heartbeat of a process of this machine; None where there was none."""
    try:
        return time.time() - file_of(kind).stat().st_mtime
    except FileNotFoundError:
        return None


def seconds_since(kind: str) -> float | None:
    """Seconds since the last heartbeat of this kind on any machine; None where there is no row."""
    rows = Heartbeat.objects.filter(process__startswith=kind)
    newest = rows.aggregate(newest=Max("seen_at"))["newest"]
    return None if newest is None else (database_now() - newest).total_seconds()


def write(kind: str) -> None:
    """Writes the row of this process, and deletes rows that were not updated for a day."""
    process = kind if kind == BEAT else f"{kind}:{socket.gethostname()}"
    with write_transaction():
        Heartbeat.objects.bulk_create(
            [Heartbeat(process=process, seen_at=Now())],
            update_conflicts=True,
            unique_fields=["process"],
            update_fields=["seen_at"],
        )
        Heartbeat.objects.filter(seen_at__lt=database_now() - _RETENTION).delete()


def _write_rows(kind: str) -> None:
    while True:
        _pending.wait()
        _pending.clear()
        try:
            write(kind)
        except (Error, Unavailable) as error:
            logger.debug("The heartbeat cannot be written: %s", error)
        finally:
            connection.close()  # not held idle until the next write
        time.sleep(WRITE_INTERVAL_SECONDS)


def _reset_after_fork() -> None:
    # A fork copies no threads, and may copy a lock while it is held.
    global _lock, _pending, _thread
    _lock, _pending, _thread = threading.Lock(), threading.Event(), None


os.register_at_fork(after_in_child=_reset_after_fork)
