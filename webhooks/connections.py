"""The only place where the name of a receiver becomes a socket.

The check sits inside the connection, not before it: one look-up, every answer vetted, a connect to
exactly those addresses, the peer vetted again. Nothing can change between check and use (DNS
rebinding), a kept connection was vetted when it was opened, and host name, SNI and certificate stay
the library's business.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from functools import cache
from http.client import HTTPResponse, IncompleteRead
from typing import Any, Final

import certifi
from django.conf import settings
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)

from webhooks.deadlines import Deadline
from webhooks.destinations import Resolved, is_allowed, resolve

CONNECT_SECONDS: Final = 5.0
_HOSTS_KEPT: Final = 256


class BlockedDestination(HTTPError):
    """The name leads to an address that is not allowed."""


class RequestState(threading.local):
    """What the connections of this thread work for, set by `webhooks.delivery`."""

    deadline: Deadline | None = None
    # Whether the present request opened a connection, rather than finding one kept.
    opened: bool = False


state = RequestState()


class _Lines:
    """A file that remembers the last line it gave."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self.file.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class _WholeHead(HTTPResponse):
    """An answer whose head ends as it must. http.client takes the end of the connection for the end
    of the head, and would read a success where the receiver died in the middle of a header."""

    def begin(self) -> None:
        lines = _Lines(self.fp)
        self.fp: Any = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = lines.file
        if lines.last not in (b"\r\n", b"\n"):
            raise IncompleteRead(lines.last)


class _Guarded(HTTPConnection):
    response_class = _WholeHead
    _head: bytes | None = None

    def _new_conn(self) -> socket.socket:
        state.opened = True
        self._report_to_deadline()
        patience = CONNECT_SECONDS
        if state.deadline is not None:
            patience = min(patience, max(0.05, state.deadline.seconds_left))
        until = time.monotonic() + patience
        host = self._dns_host.strip("[]")
        try:
            found = resolve(host, int(self.port or 0), patience=patience)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        if not all(is_allowed(str(item[4][0])) for item in found):
            raise BlockedDestination("The address is not allowed.")
        return self._connect_to_any(found, until)

    def _connect_to_any(self, found: list[Resolved], until: float) -> socket.socket:
        failure: HTTPError | None = None
        for left in range(len(found), 0, -1):
            # A share of the time for each: one silent address must not use up that of the next.
            patience = max(0.05, (until - time.monotonic()) / left)
            try:
                return self._connect_to(found[-left], patience)
            except TimeoutError:
                failure = ConnectTimeoutError(self, "No connection in time.")
            except OSError as error:
                failure = NewConnectionError(self, error.strerror or "No connection.")
        raise failure or NewConnectionError(self, "No address.")

    def _connect_to(self, address: Resolved, patience: float) -> socket.socket:
        family, kind, protocol, _, target = address
        connected = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                connected.setsockopt(*option)
            connected.settimeout(patience)
            connected.connect(target)
            if not is_allowed(connected.getpeername()[0]):
                raise BlockedDestination("The address is not allowed.")
        except BaseException:
            connected.close()
            raise
        return connected

    def send(self, data: Any) -> None:
        """Head and body leave together, in one packet where they fit."""
        if self._head is None:
            self._head = data  # waits for the body, which every request of ours has
            return
        head, self._head = self._head, b""
        super().send(head + data)

    def putrequest(self, method: str, url: str, *args: bool, **kwargs: bool) -> None:
        self._head = None
        self._report_to_deadline()
        if state.deadline is not None and state.deadline.is_over:
            raise TimeoutError
        super().putrequest(method, url, *args, **kwargs)

    def _report_to_deadline(self) -> None:
        if state.deadline is not None:
            state.deadline.connection = self


class _GuardedTLS(_Guarded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Guarded


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls: Any = _GuardedTLS


def new_manager(*, kept_per_host: int = 16) -> PoolManager:
    """Connection pools of guarded connections. No proxies, no cookies, no .netrc: urllib3 has none
    of these unless it is asked."""
    manager = PoolManager(
        num_pools=_HOSTS_KEPT, maxsize=kept_per_host, ssl_context=_trust(settings.WEBHOOK_CA_FILE)
    )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or certifi.where())
