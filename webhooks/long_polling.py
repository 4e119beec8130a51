"""Limits for long polls: while one waits, it occupies a thread of the web server.

Waiting requests are bounded twice: per business, counted in the cache that all web processes share,
and per process, so that other requests always find a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from kaivox.api.leases import Lease
from kaivox.errors import TooManyRequests

MAX_WAIT_SECONDS: Final = 20
PER_BUSINESS: Final = 2
THREADS_PER_POLL: Final = 8
# Never the last thread: with one nothing may wait. The embedded profile has one process of 8 threads, so
# one request waits there, of all businesses.
PER_PROCESS: Final = min(settings.WEB_THREADS - 1, max(1, settings.WEB_THREADS // THREADS_PER_POLL))
# After a crash the lease of a waiting request expires; none waits for longer.
_LEASE_SECONDS: Final = MAX_WAIT_SECONDS + 10
_RETRY_AFTER_SECONDS: Final = 5

process_slots: Final = threading.BoundedSemaphore(PER_PROCESS)


class TooManyLongPolls(TooManyRequests):
    """The business has as many waiting requests as it may, or this process has."""

    code = "too_many_long_polls"
    message = f"{PER_BUSINESS} requests with wait are waiting already. Wait until one of them ends."


@contextmanager
def waiting(business_id: int) -> Iterator[None]:
    """Counts one waiting request of the business. Raises TooManyLongPolls."""
    if not process_slots.acquire(blocking=False):
        raise TooManyLongPolls(
            "Too many requests are waiting on this server. Retry, or leave wait out.",
            retry_after=_RETRY_AFTER_SECONDS,
        )
    try:
        lease = Lease.acquire(
            f"long-poll:{business_id}", places=PER_BUSINESS, seconds=_LEASE_SECONDS
        )
        if lease is None:
            raise TooManyLongPolls(retry_after=_RETRY_AFTER_SECONDS)
        try:
            yield
        finally:
            lease.release()
    finally:
        process_slots.release()
