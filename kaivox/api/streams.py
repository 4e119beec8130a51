"""Limits the number of exports (whole-list responses) that are streamed at once.

A response of unknown length occupies its thread until the last row is handed to the server, so it is
bounded twice: two per business, counted in the cache that all web processes share, and half of the
threads of this process, so that short requests always find one. Its computing is bounded too: one
stream of a process computes at a time, and pauses while requests of other businesses are in progress.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from kaivox.api.concurrency import in_progress
from kaivox.api.leases import Lease
from kaivox.errors import TooManyRequests

PER_BUSINESS: Final = 2
# A crashed stream frees its place when its lease ends; a running one renews it.
LEASE_SECONDS: Final = 120
RENEW_SECONDS: Final = 30
RETRY_AFTER_SECONDS: Final = 5
# Between two pieces of a stream. An export of 60,000 rows takes 24 s where others are always active.
MAX_PAUSE_SECONDS: Final = 0.1

_POLL_SECONDS: Final = 0.005
# Threads that compute make those of short requests wait for the interpreter's lock, so one stream of a
# process computes at a time. The others do not wait longer for it: its query may be stuck.
_PATIENCE_SECONDS: Final = 1.0
_computing = threading.Lock()
_threads = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


class TooManyStreams(TooManyRequests):
    """The business reads two whole lists already, or this process writes as many as it may."""

    code = "too_many_streams"
    message = f"{PER_BUSINESS} whole lists are being read already. Wait until one of them ends."


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    is_held = _computing.acquire(timeout=_PATIENCE_SECONDS)
    try:
        yield
    finally:
        if is_held:
            _computing.release()


class LimitedStream(Iterator[bytes]):
    """`pieces`, counted from here until they are exhausted or closed.

    Raises TooManyStreams.
    """

    def __init__(self, business_id: int, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._business_id = business_id
        self._is_open = True
        self._renewed_at = time.monotonic()
        if not _threads.acquire(blocking=False):
            raise TooManyStreams(
                "Too many whole lists are being read. Wait a moment.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        lease = Lease.acquire(f"stream:{business_id}", places=PER_BUSINESS, seconds=LEASE_SECONDS)
        if lease is None:
            _threads.release()
            raise TooManyStreams(retry_after=RETRY_AFTER_SECONDS)
        self._lease = lease

    def __next__(self) -> bytes:
        now = time.monotonic()
        if now - self._renewed_at > RENEW_SECONDS:
            self._renewed_at = now
            self._lease.renew()
        try:
            with _one_at_a_time():
                piece = next(self._pieces)
        except BaseException:
            self.close()
            raise
        self._wait_for_others()
        return piece

    def _wait_for_others(self) -> None:
        """Sleeps while requests of other businesses are in progress in this process, for MAX_PAUSE_SECONDS
        at most."""
        until = time.monotonic() + MAX_PAUSE_SECONDS
        while in_progress.are_of_others(self._business_id) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Called by the server when the response ends, however it ends."""
        if self._is_open:
            self._is_open = False
            _threads.release()
            self._lease.release()
