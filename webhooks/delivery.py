"""The only door out: one signed POST to a receiver that may do anything. Never raises.

The connection is urllib3's and the answer http.client's; what lies between, an HTTP library for any
request, costs more than ours. `requests` besides reads the whole body of a redirect even when it
does not follow it, takes proxies and passwords from the environment, and keeps cookies.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from http.client import HTTPException, HTTPResponse
from typing import Final

from django.conf import settings
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.exceptions import TimeoutError as HTTPTimeout

from webhooks.connections import (
    CONNECT_SECONDS,
    BlockedDestination,
    Guarded,
    KeptConnections,
    Target,
    WholeHead,
    new_connection,
    target_of,
)
from webhooks.deadlines import Deadline, limited_to
from webhooks.models import Outcome

logger = logging.getLogger(__name__)

READ_BYTES: Final = 16 * 1024
KEPT_BYTES: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended; `message` is a sentence where there is no HTTP status."""

    outcome: Outcome
    http_status: int | None = None
    message: str = ""
    duration_ms: int = 0
    body: bytes = b""
    truncated: bool = False
    reconnects: int = 0
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED


def post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """POSTs `body`, within WEBHOOK_TIMEOUT_SECONDS in all. A redirect is an answer like any other."""
    started = time.monotonic()
    with limited_to(settings.WEBHOOK_TIMEOUT_SECONDS) as deadline:
        try:
            answer = _exchange(url, headers, body, deadline)
        except Exception as error:  # noqa: BLE001 - whatever it is, the attempt has a row to fill
            answer = _failure(error, deadline)
    return replace(answer, duration_ms=int((time.monotonic() - started) * 1000))


def _exchange(url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Answer:
    target = target_of(url)
    request = _request(target, headers, body)
    kept = _kept().take(target.origin)
    if kept is None:
        return _exchange_on(new_connection(target.origin), target, request, deadline)
    try:
        return _exchange_on(kept, target, request, deadline)
    except (ConnectionResetError, BrokenPipeError):
        if deadline.is_over:
            raise
    # The receiver had closed it meanwhile: nobody saw the request.
    fresh = new_connection(target.origin)
    return replace(_exchange_on(fresh, target, request, deadline), reconnects=1)


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    whole = {"Host": target.host_header, "Content-Length": str(len(body)), **headers}
    lines = [f"{name}: {value}" for name, value in whole.items()]
    head = "\r\n".join([f"POST {target.path} HTTP/1.1", *lines, "", ""])
    if head.count("\n") + head.count("\r") != 2 * (len(lines) + 2):
        raise ValueError("A header holds a line break.")
    return head.encode("latin-1") + body  # together: one packet where they fit


def _exchange_on(connection: Guarded, target: Target, request: bytes, deadline: Deadline) -> Answer:
    connection.deadline = deadline
    deadline.connection = connection
    try:
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(max(0.05, deadline.seconds_left))
        connection.sock.sendall(request)
        response = WholeHead(connection.sock, method="POST")
        response.begin()
        content = _read(response)
        if deadline.is_over:
            raise TimeoutError
    except BaseException:
        connection.close()
        raise
    # Before it is kept: from then on it is somebody else's.
    deadline.let_go()
    if response.isclosed() and not response.will_close:
        _kept().keep(target.origin, connection)
    else:
        response.close()  # there may be gigabytes more
        connection.close()
    return Answer(
        outcome=Outcome.SUCCEEDED if 200 <= response.status < 300 else Outcome.HTTP_ERROR,
        http_status=response.status,
        body=content[:KEPT_BYTES],
        truncated=len(content) > KEPT_BYTES,
        retry_after=response.headers.get("Retry-After"),
    )


def _read(response: HTTPResponse) -> bytes:
    """The beginning of the answer, as it came (compressed or not)."""
    try:
        return response.read(READ_BYTES)
    except TimeoutError:
        raise
    except (HTTPException, OSError):
        response.will_close = True
        return b""  # broken off in the body: the status stands


def _failure(error: Exception, deadline: Deadline) -> Answer:
    if isinstance(error, BlockedDestination):
        return Answer(Outcome.BLOCKED_DESTINATION, message="This address cannot receive webhooks.")
    if deadline.is_over:
        return Answer(Outcome.TIMEOUT, message=_timeout_message(error))
    if isinstance(error, NameResolutionError):
        return Answer(Outcome.DNS_ERROR, message="The host name could not be found.")
    if isinstance(error, NewConnectionError):  # to urllib3 a kind of timeout
        return Answer(Outcome.CONNECT_ERROR, message="The connection was refused or failed.")
    if isinstance(error, HTTPTimeout | TimeoutError):
        return Answer(Outcome.TIMEOUT, message=_timeout_message(error))
    if isinstance(error, ssl.SSLError):
        return Answer(Outcome.TLS_ERROR, message=_certificate_message(error))
    if not isinstance(error, HTTPError | HTTPException | OSError):
        logger.error("A webhook request ended in a way that we do not know", exc_info=error)
    return Answer(Outcome.PROTOCOL_ERROR, message="The answer was no valid HTTP, or broke off.")


def _timeout_message(error: Exception) -> str:
    if isinstance(error, ConnectTimeoutError):
        return f"No connection within {CONNECT_SECONDS:.0f} seconds."
    return f"No complete answer within {settings.WEBHOOK_TIMEOUT_SECONDS} seconds."


def _certificate_message(error: ssl.SSLError) -> str:
    reason = getattr(error, "verify_message", None) or error.reason
    return f"No trusted TLS connection: {reason or 'the handshake failed'}."[:200]


@cache
def _kept() -> KeptConnections:
    return KeptConnections()


# A forked child must not speak on its parent's connections.
os.register_at_fork(after_in_child=_kept.cache_clear)
