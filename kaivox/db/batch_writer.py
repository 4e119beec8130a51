"""Writes items to the database in batches, from a thread of its own.

For records that a request must not wait for, and whose loss is acceptable: the last `interval` seconds
are lost when the process is killed.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import isinf
from typing import Final, Generic, TypeVar

from django.db import close_old_connections, connection

logger = logging.getLogger(__name__)

T = TypeVar("T")


class BatchWriter(Generic[T]):
    """A bounded queue in memory, and one daemon thread per process that calls `write` with what is in it.

    `interval` returns the seconds between two writes; with `math.inf` no thread is started, and only
    `flush` writes. Items that the full queue does not accept, and batches that cannot be written, are
    dropped and reported to `on_drop`.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[T]], object],
        *,
        interval: Callable[[], float],
        max_items: int,
        batch_size: int,
        on_drop: Callable[[int], object],
    ) -> None:
        self.name: Final = name
        self.max_items = max_items
        self._write = write
        self._interval = interval
        self._batch_size = batch_size
        self._on_drop = on_drop
        self._reset()
        # A forked process has the queue of its parent, but not the thread.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._items: deque[T] = deque()
        self._flushing = threading.Lock()
        self._starting = threading.Lock()
        self._pending = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, item: T) -> None:
        """Queues `item`. Never waits and never raises."""
        if len(self._items) >= self.max_items:
            self._on_drop(1)
            return
        self._items.append(item)
        if not self._pending.is_set():
            self._pending.set()
            if self._thread is None:
                self._start()

    def flush(self) -> int:
        """Writes what is queued, in the thread of the caller; returns the number of items written."""
        written = 0
        with self._flushing:
            while batch := self._next_batch():
                try:
                    self._write(batch)
                except Exception as error:  # noqa: BLE001 - the database may raise anything
                    self._on_drop(len(batch))
                    logger.warning("%s: %d items were dropped: %s", self.name, len(batch), error)
                else:
                    written += len(batch)
        return written

    def clear(self) -> None:
        """Discards what is queued."""
        self._items.clear()

    def _next_batch(self) -> list[T]:
        return [self._items.popleft() for _ in range(min(len(self._items), self._batch_size))]

    def _start(self) -> None:
        if isinf(self._interval()):
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
                atexit.register(self._flush_at_exit, os.getpid())

    def _run(self) -> None:
        while True:
            self._pending.wait()
            time.sleep(self._interval())
            self._pending.clear()
            close_old_connections()
            self.flush()
            close_old_connections()

    def _flush_at_exit(self, pid: int) -> None:
        if self._items and pid == os.getpid():  # not in a process forked from this one
            self.flush()
            connection.close()
