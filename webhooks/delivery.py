"""The only door out: one signed POST to a receiver that may do anything. Never raises.

urllib3 itself, without `requests` round it, which reads the whole body of a redirect even when it
does not follow it, takes proxies and passwords from the environment, keeps cookies, and costs more
than the request.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from http.client import RemoteDisconnected
from typing import Final

from django.conf import settings
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as HTTPTimeout

from webhooks.connections import CONNECT_SECONDS, BlockedDestination, new_manager, state
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
        state.deadline = deadline
        try:
            answer = _exchange(url, headers, body, deadline)
        except Exception as error:  # noqa: BLE001 - whatever it is, the attempt has a row to fill
            answer = _failure(error, deadline)
        finally:
            state.deadline = None
    return replace(answer, duration_ms=int((time.monotonic() - started) * 1000))


def _exchange(url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Answer:
    try:
        return _exchange_once(_manager(), url, headers, body, deadline)
    except ProtocolError as error:
        if state.opened or not _was_closed(error) or deadline.is_over:
            raise
    # A kept connection that the receiver had closed meanwhile: nobody saw the request.
    with new_manager(kept_per_host=1) as fresh:
        return replace(_exchange_once(fresh, url, headers, body, deadline), reconnects=1)


def _exchange_once(
    manager: PoolManager, url: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
) -> Answer:
    state.opened = False
    response = manager.urlopen(
        "POST",
        url,
        body=body,
        headers=headers,
        redirect=False,
        retries=False,
        timeout=Timeout(connect=CONNECT_SECONDS, read=max(0.05, deadline.seconds_left)),
        preload_content=False,
        enforce_content_length=False,
    )
    content = _read(response)
    if deadline.is_over:
        raise HTTPTimeout
    return Answer(
        outcome=Outcome.SUCCEEDED if 200 <= response.status < 300 else Outcome.HTTP_ERROR,
        http_status=response.status,
        body=content[:KEPT_BYTES],
        truncated=len(content) > KEPT_BYTES,
        retry_after=response.headers.get("Retry-After"),
    )


def _read(response: BaseHTTPResponse) -> bytes:
    """The beginning of the answer, as it came (compressed or not)."""
    content = b""
    try:
        content = response.read(READ_BYTES, decode_content=False)
    except ProtocolError:
        pass  # broken off in the body: the status stands
    finally:
        if len(content) < READ_BYTES:
            response.release_conn()
        else:
            response.close()  # there may be gigabytes more
    return content


def _was_closed(error: ProtocolError) -> bool:
    cause = error.args[-1] if error.args else None
    return isinstance(cause, RemoteDisconnected | ConnectionResetError | BrokenPipeError)


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
    if isinstance(error, SSLError):
        return Answer(Outcome.TLS_ERROR, message=_certificate_message(error))
    if not isinstance(error, HTTPError):
        logger.error("A webhook request ended in a way that we do not know", exc_info=error)
    return Answer(Outcome.PROTOCOL_ERROR, message="The answer was no valid HTTP, or broke off.")


def _timeout_message(error: Exception) -> str:
    if isinstance(error, ConnectTimeoutError):
        return f"No connection within {CONNECT_SECONDS:.0f} seconds."
    return f"No complete answer within {settings.WEBHOOK_TIMEOUT_SECONDS} seconds."


def _certificate_message(error: SSLError) -> str:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
    return f"No trusted TLS connection: {reason or 'the handshake failed'}."[:200]


@cache
def _manager() -> PoolManager:
    return new_manager()


# A forked child must not speak on its parent's connections.
os.register_at_fork(after_in_child=_manager.cache_clear)
