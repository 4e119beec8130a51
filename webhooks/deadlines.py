"""How does a request end after fifteen seconds when its receiver sends a byte now and then?

A socket's timeout starts anew with each byte. So one thread per process looks at all requests under
way and shuts the socket of each that is over its time, which ends whatever read is waiting on it.
A timer per request would do the same for the price of a thread each.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from typing import Final

_LOOK_EVERY_SECONDS: Final = 0.1


class Deadline:
    """The end of one request. `connection` is what will be cut."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self.connection: HTTPConnection | None = None

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at

    @property
    def seconds_left(self) -> float:
        return self.at - time.monotonic()

    def let_go(self) -> None:
        """Its connection is not cut any more: from now on it is somebody else's."""
        _watch.remove(self)

    def cut(self) -> None:
        sock = getattr(self.connection, "sock", None)
        if sock is None:
            return
        with suppress(OSError):  # closed already
            # Not SSLSocket's own shutdown: that one would wait for the peer's goodbye.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Watch:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[Deadline] = set()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, deadline: Deadline) -> None:
        with self._lock:
            self._under_way.add(deadline)
            self._some.set()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._look, name="webhook-deadlines", daemon=True
                )
                self._thread.start()

    def remove(self, deadline: Deadline) -> None:
        # Under the lock: nothing is cut afterwards.
        with self._lock:
            self._under_way.discard(deadline)

    def _look(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_LOOK_EVERY_SECONDS)
            with self._lock:
                for deadline in self._under_way:
                    if deadline.is_over:
                        deadline.cut()
                if not self._under_way:
                    self._some.clear()


_watch = _Watch()


@contextmanager
def limited_to(seconds: float) -> Iterator[Deadline]:
    """Within it the connection named to the deadline is cut after `seconds`."""
    deadline = Deadline(seconds)
    _watch.add(deadline)
    try:
        yield deadline
    finally:
        _watch.remove(deadline)


def _start_anew() -> None:
    global _watch
    _watch = _Watch()


os.register_at_fork(after_in_child=_start_anew)
