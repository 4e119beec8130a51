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
from collections import OrderedDict
from functools import cache, lru_cache
from http.client import HTTPResponse, IncompleteRead
from typing import Any, Final, NamedTuple

import certifi
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import parse_url

from webhooks.deadlines import Deadline
from webhooks.destinations import Resolved, is_allowed, port_of, resolve

CONNECT_SECONDS: Final = 5.0
_ORIGINS_KEPT: Final = 256
_KEPT_PER_ORIGIN: Final = 16


class BlockedDestination(HTTPError):
    """The name leads to an address that is not allowed."""


class Origin(NamedTuple):
    """What a connection leads to."""

    scheme: str
    host: str
    port: int


class Target(NamedTuple):
    """A receiver's URL, taken apart."""

    origin: Origin
    host_header: str
    path: str


@lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    parsed = parse_url(url)
    scheme, host = parsed.scheme or "", parsed.host or ""
    origin = Origin(scheme, host.strip("[]"), port_of(parsed))
    return Target(origin, parsed.netloc or "", parsed.request_uri)


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


class WholeHead(HTTPResponse):
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


class Guarded(HTTPConnection):
    """A connection to allowed addresses only; `deadline` is that of the request it works for."""

    deadline: Deadline | None = None

    def _new_conn(self) -> socket.socket:
        patience = CONNECT_SECONDS
        if self.deadline is not None:
            patience = min(patience, max(0.05, self.deadline.seconds_left))
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


class GuardedTLS(Guarded, HTTPSConnection):
    pass


def new_connection(origin: Origin) -> Guarded:
    """A connection that is not open yet. No proxies, no cookies, no .netrc."""
    if origin.scheme == "https":
        return GuardedTLS(origin.host, origin.port, ssl_context=_trust(settings.WEBHOOK_CA_FILE))
    return Guarded(origin.host, origin.port)


class KeptConnections:
    """Open connections that wait for their next request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_origin: OrderedDict[Origin, list[Guarded]] = OrderedDict()

    def take(self, origin: Origin) -> Guarded | None:
        """One that the receiver has not closed, as far as can be seen."""
        while True:
            with self._lock:
                kept = self._by_origin.get(origin)
                connection = kept.pop() if kept else None
            if connection is None or connection.is_connected:
                return connection
            connection.close()

    def keep(self, origin: Origin, connection: Guarded) -> None:
        superfluous: list[Guarded] = [connection]
        with self._lock:
            kept = self._by_origin.setdefault(origin, [])
            if len(kept) < _KEPT_PER_ORIGIN:
                kept.append(superfluous.pop())
            self._by_origin.move_to_end(origin)
            if len(self._by_origin) > _ORIGINS_KEPT:
                superfluous += self._by_origin.popitem(last=False)[1]
        for one in superfluous:
            one.close()


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or certifi.where())
