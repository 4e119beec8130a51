"""A `requests` adapter whose connections reach allowed addresses only, within a total timeout.

The address check is inside the connection, where a name becomes a socket: one lookup, every address
checked, a connect to exactly those, the peer checked again. Nothing can change between check and
use (DNS rebinding), and a pooled connection was checked when it was opened. Host, SNI and
certificate verification stay urllib3's work.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.client import HTTPResponse, IncompleteRead
from typing import Any, Final

import certifi
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.wait import wait_for_read

from webhooks.ssrf import Resolved, is_allowed, resolve
from webhooks.total_timeout import Phase, TotalTimeout

CONNECT_SECONDS: Final = 5.0
# As many as an endpoint can have requests in flight.
CONNECTIONS_PER_POOL: Final = 16
# Of the total, for reading a response that came while the request was still being sent.
_RESERVE_SHARE: Final = 0.1


class BlockedDestination(HTTPError):
    """The name leads to an address that is not allowed."""


@dataclass
class Exchange:
    """State of one request and its response, shared with the connection that carries them."""

    timeout: TotalTimeout
    needs_new_connection: bool = False
    is_connection_reused: bool = True
    is_request_sent: bool = False
    has_response_begun: bool = False
    has_unread_bytes: bool = False


# A context variable, because `requests` and urllib3 pass no object of ours to the connection.
current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")


class _TimedSocketReader(io.RawIOBase):
    """Reads from a socket, each time with what is left of the total as timeout."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self.is_drained = False
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.is_drained:
            return 0
        self._sock.settimeout(self._exchange.timeout.seconds_left())
        count: int | None = self._raw.readinto(buffer)
        if count:
            self._exchange.has_response_begun = True
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ResponseStream(io.BufferedReader):
    """The bytes of a response; records the last line read and whether bytes follow its end."""

    def __init__(self, reader: _TimedSocketReader, exchange: Exchange) -> None:
        super().__init__(reader)
        self.last_line = b""
        self._reader = reader
        self._exchange = exchange

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last_line = super().readline(size)
        return self.last_line

    def close(self) -> None:
        if not self.closed:
            self._reader.is_drained = True  # peek into the buffer, not the socket
            self._exchange.has_unread_bytes = bool(self.peek(1))
        super().close()


class StrictHTTPResponse(HTTPResponse):
    """A final response whose head ends with an empty line.

    http.client treats the end of the connection as the end of the head, and so reports a success where
    the receiver died inside a header; and it treats 102 and 103 as final responses.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        exchange = current_exchange.get()
        reader = _TimedSocketReader(self.fp.detach(), sock, exchange)
        self.fp: Any = _ResponseStream(reader, exchange)

    def begin(self) -> None:
        super().begin()
        while self._is_interim:
            self._require_end_of_head()
            self.headers: Any = None  # otherwise `begin` returns at once
            super().begin()
        self._require_end_of_head()

    @property
    def _is_interim(self) -> bool:
        return 100 <= self.status < 200 and self.status != HTTPStatus.SWITCHING_PROTOCOLS

    def _require_end_of_head(self) -> None:
        if self.fp.last_line not in (b"\r\n", b"\n"):
            raise IncompleteRead(self.fp.last_line)


class GuardedHTTPConnection(HTTPConnection):
    """Connects to allowed addresses only, for the exchange of the current context."""

    response_class = StrictHTTPResponse
    _last_exchange: Exchange | None = None
    _is_upgraded = False

    def _new_conn(self) -> socket.socket:
        exchange = current_exchange.get()
        exchange.is_connection_reused = False
        timeout = exchange.timeout
        timeout.phase = Phase.DNS
        seconds = min(CONNECT_SECONDS, timeout.seconds_left())
        until = time.monotonic() + seconds
        found = resolve(self._dns_host.strip("[]"), int(self.port or 0), seconds=seconds)
        if not all(is_allowed(str(item[4][0])) for item in found):
            raise BlockedDestination("The address is not allowed.")
        timeout.phase = Phase.CONNECT
        return self._connect_to_any(found, until)

    def _connect_to_any(self, addresses: list[Resolved], until: float) -> socket.socket:
        failure: Exception | None = None
        for remaining in range(len(addresses), 0, -1):
            # An equal share of the time for each: a silent address must not use up the next one's.
            seconds = max(0.05, (until - time.monotonic()) / remaining)
            try:
                return self._connect_to(addresses[-remaining], seconds)
            except TimeoutError as error:
                failure = error
            except OSError as error:
                failure = NewConnectionError(self, error.strerror or "No connection.")
        raise failure or NewConnectionError(self, "No address.")

    def _connect_to(self, address: Resolved, seconds: float) -> socket.socket:
        family, kind, protocol, _, socket_address = address
        sock = socket.socket(family, kind, protocol)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(seconds)
            sock.connect(socket_address)
            if not is_allowed(sock.getpeername()[0]):
                raise BlockedDestination("The address is not allowed.")
        except BaseException:
            sock.close()
            raise
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        current_exchange.get().timeout.phase = Phase.PREPARING
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = current_exchange.get()
        timeout = exchange.timeout
        timeout.phase = Phase.SENDING
        exchange.is_request_sent = False
        self.sock.settimeout(timeout.seconds_left(reserve=_RESERVE_SHARE * timeout.seconds))
        try:
            super().send(data)
        except TimeoutError:
            if not wait_for_read(self.sock, timeout=0):
                raise
            # The receiver has responded and stopped reading the request. After a BrokenPipeError
            # urllib3 goes on to read the response.
            raise BrokenPipeError from None
        exchange.is_request_sent = True

    def getresponse(self) -> Any:
        exchange = current_exchange.get()
        exchange.timeout.phase = Phase.RESPONSE_HEAD
        self._last_exchange = exchange
        response = super().getresponse()
        self._is_upgraded = response.status == HTTPStatus.SWITCHING_PROTOCOLS
        return response

    @property
    def is_connected(self) -> bool:
        """Whether the next request may use it; the pool checks before each.

        False if anything followed the last response, in the socket, the TLS layer or our buffer: it
        would be read as the response to the next request. False if the last request was not sent
        completely: the receiver would read the next one as the rest of it.
        """
        current, last = current_exchange.get(None), self._last_exchange
        if current is not None and current.needs_new_connection and last is not current:
            return False
        return (
            super().is_connected
            and (last is None or (last.is_request_sent and not last.has_unread_bytes))
            and not self._is_upgraded
            and not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending())
        )

    def close(self) -> None:
        self._last_exchange = None
        self._is_upgraded = False
        super().close()


class GuardedHTTPSConnection(GuardedHTTPConnection, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        timeout = current_exchange.get().timeout
        timeout.phase = Phase.TLS
        sock.settimeout(timeout.seconds_left())
        return sock


class _GuardedHTTPConnectionPool(HTTPConnectionPool):
    ConnectionCls = GuardedHTTPConnection

    def _put_conn(self, conn: Any) -> None:
        _close_unless_reusable(conn)
        super()._put_conn(conn)


class _GuardedHTTPSConnectionPool(HTTPSConnectionPool):
    ConnectionCls = GuardedHTTPSConnection

    def _put_conn(self, conn: Any) -> None:
        _close_unless_reusable(conn)
        super()._put_conn(conn)


def _close_unless_reusable(connection: Any) -> None:
    # `_get_conn` checks again before the next request: more may have arrived by then.
    if connection is not None and not connection.is_connected:
        connection.close()


class GuardedAdapter(HTTPAdapter):
    """Without proxies, and with one TLS context shared by all connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = _tls_context(settings.WEBHOOK_CA_FILE)
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPConnectionPool,
            "https": _GuardedHTTPSConnectionPool,
        }

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: `requests` would load the CA file into the shared context again for each
        connection, 24 ms each time."""

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        raise BlockedDestination("Webhooks are sent without a proxy.")


@cache
def _tls_context(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or certifi.where())
