"""Total timeout of one webhook request, over all its phases.

A socket's own timeout restarts with each byte, so it cannot bound a request. Instead the socket's
timeout is set to what is left of the total before each blocking call: Python bounds a whole
`connect`, handshake, `sendall` and `recv` by it.
"""

from __future__ import annotations

import time
from enum import StrEnum


class Phase(StrEnum):
    """The phase of a request; the text completes "… took too long" in error messages."""

    PREPARING = "preparing the request"
    DNS = "the DNS lookup"
    CONNECT = "the connection"
    TLS = "the TLS handshake"
    SENDING = "sending the request"
    RESPONSE_HEAD = "the head of the response"
    RESPONSE_BODY = "the body of the response"


class TotalTimeout:
    """The clock of one request; starts when it is created."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.phase = Phase.PREPARING
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    @property
    def is_expired(self) -> bool:
        return self.elapsed >= self.seconds

    def seconds_left(self, *, reserve: float = 0.0) -> float:
        """Seconds left, minus `reserve`; always positive. Raises TimeoutError if none are left."""
        left = self.seconds - reserve - self.elapsed
        if left <= 0:
            raise TimeoutError(f"{self.phase} took too long")
        return left
