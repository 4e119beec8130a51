"""Requests in progress in this process: a limit for each business.

What a business can take from others are threads. Short requests leave them at once, whatever their
number, and the quota bounds that; so only slow ones are limited. The limit is per process, as threads
are: it costs no round trip, and a process that dies leaves nothing behind (docs/decisions/0013).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings

from kaivox.errors import TooManyRequests

# As long as a request waits for a lock of the database at most.
SLOW_SECONDS: Final = 3.0
RETRY_AFTER_SECONDS: Final = 1


class TooManyConcurrentRequests(TooManyRequests):
    """Half of the threads of this process are occupied by slow requests of the business."""

    code = "too_many_concurrent_requests"
    message = (
        "Too many requests of this business are in progress for several seconds already. "
        "Wait until some of them end."
    )


class RequestsInProgress:
    """Requests in progress and when they began, by business; thread-safe."""

    def __init__(self, limit: int, timer: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._timer = timer
        self._lock = threading.Lock()
        self._begun: dict[int, list[float]] = {}

    def is_full(self, business_id: int) -> bool:
        """Whether `limit` requests of the business are in progress for SLOW_SECONDS or longer."""
        with self._lock:
            begun = self._begun.get(business_id, ())
            if len(begun) < self._limit:
                return False
            before = self._timer() - SLOW_SECONDS
            return sum(at <= before for at in begun) >= self._limit

    def begin(self, business_id: int) -> Callable[[], None]:
        """Counts one request. Call the returned function once, at its end."""
        at = self._timer()
        with self._lock:
            self._begun.setdefault(business_id, []).append(at)
        return lambda: self._end(business_id, at)

    def are_of_others(self, business_id: int) -> bool:
        """Whether a request of another business is in progress."""
        with self._lock:
            return len(self._begun) > (business_id in self._begun)

    def _end(self, business_id: int, at: float) -> None:
        with self._lock:
            begun = self._begun[business_id]
            begun.remove(at)
            if not begun:
                del self._begun[business_id]


in_progress: Final = RequestsInProgress(max(1, settings.WEB_THREADS // 2))
