"""HTTP sender: one signed request to a receiver that may do anything. Never raises.

`requests` with a guarded adapter: the address is checked inside the connection, all phases share one
total timeout, at most 16 KiB of a response are read. Each endpoint has a session of its own, so
connections, and bytes left unread on them, are never used for another endpoint of the same host.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPException, LineTooLong
from http.cookiejar import DefaultCookiePolicy
from typing import Final
from urllib.parse import urljoin

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from webhooks.custom_headers import is_reserved
from webhooks.guarded_connections import (
    CONNECT_SECONDS,
    CONNECTIONS_PER_POOL,
    BlockedDestination,
    Exchange,
    GuardedAdapter,
    current_exchange,
)
from webhooks.models import AttemptOutcome
from webhooks.ssrf import BadDestination, check_url
from webhooks.total_timeout import Phase, TotalTimeout

logger = logging.getLogger(__name__)

MAX_READ_BYTES: Final = 16 * 1024
MAX_STORED_BYTES: Final = 4 * 1024
_MAX_SESSIONS: Final = 128
_REDIRECTS: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How an attempt ended. `message` is a sentence for a person: why there is no HTTP status, or
    why the body is not complete."""

    outcome: AttemptOutcome
    http_status: int | None = None
    message: str = ""
    duration_ms: int = 0
    body: bytes = b""
    truncated: bool = False
    reconnects: int = 0
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.outcome is AttemptOutcome.SUCCEEDED


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    endpoint_id: int,
    extra_headers: Mapping[str, str] | None = None,
) -> DeliveryResult:
    """POSTs `body` within WEBHOOK_TIMEOUT_SECONDS in all. Redirects are not followed.

    `extra_headers` are the user's own; names that we set ourselves are left out.
    """
    timeout = TotalTimeout(settings.WEBHOOK_TIMEOUT_SECONDS)
    try:
        request = _prepared(url, merged_headers(headers, extra_headers or {}), body)
        response, reconnects = _exchange(_session_of(endpoint_id), request, timeout)
    except Exception as error:  # noqa: BLE001 - any error becomes the attempt's result
        outcome, message = _classified(error, timeout)
        return DeliveryResult(outcome, message=message, duration_ms=_milliseconds(timeout))
    # The head is complete: the status decides, even if the body breaks off.
    content, message = _read_body(response, timeout)
    return DeliveryResult(
        outcome=AttemptOutcome.SUCCEEDED
        if 200 <= response.status_code < 300
        else AttemptOutcome.HTTP_ERROR,
        http_status=response.status_code,
        message=message,
        duration_ms=_milliseconds(timeout),
        body=content[:MAX_STORED_BYTES],
        truncated=len(content) > MAX_STORED_BYTES or bool(message),
        reconnects=reconnects,
        retry_after=response.headers.get("Retry-After"),
    )


@dataclass(frozen=True, slots=True)
class Download:
    """How a GET ended: `status` is None without a response. `problem` is a sentence for a person, which
    names neither the URL nor an address; empty if the body is complete."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    problem: str = ""


def fetch(url: str, *, seconds: float) -> bytes | None:
    """The body of a 200 from `url`, of at most MAX_READ_BYTES, within `seconds` in all; else None."""
    found = download(url, {"Accept": "application/json"}, seconds=seconds, max_bytes=MAX_READ_BYTES)
    return found.body if found.status == 200 and not found.problem else None


def download(
    url: str,
    headers: Mapping[str, str],
    *,
    seconds: float,
    max_bytes: int,
    max_redirects: int = 0,
) -> Download:
    """GETs `url` within `seconds` in all, redirects included. Never raises.

    Of a longer body than `max_bytes` only the beginning is read. Each redirect is followed by the
    same rules as `url` itself, to another https URL or from http to http(s); after `max_redirects` of
    them the response is the redirect.
    """
    timeout = TotalTimeout(seconds)
    headers = {"User-Agent": "KaiVox", **headers}
    try:
        with _Session() as session:
            while True:
                request = requests.Request("GET", url, headers).prepare()
                response, _ = _exchange(session, request, timeout)
                target = response.headers.get("Location")
                if response.status_code not in _REDIRECTS or not target or max_redirects < 1:
                    break
                response.close()
                max_redirects -= 1
                url = _redirected(url, target)
            body, problem = _read_body(response, timeout, max_bytes + 1)
    except BadDestination:
        return Download(problem="It redirects to an address that is not allowed.")
    except Exception as error:  # noqa: BLE001 - any error becomes the result
        outcome, message = _classified(error, timeout, is_url_secret=True)
        if outcome is AttemptOutcome.BLOCKED_DESTINATION:
            message = "This address is not allowed: use one of the public Internet."
        return Download(problem=message)
    if len(body) > max_bytes:
        problem = f"It is longer than {max_bytes:,} bytes."
    return Download(response.status_code, response.headers, body[:max_bytes], problem)


def _redirected(url: str, target: str) -> str:
    """The URL of a redirect. Raises BadDestination; its host is checked when it is connected to."""
    found = check_url(urljoin(url, target), look_up=False)
    if url.startswith("https:") and not found.startswith("https:"):
        raise BadDestination("A redirect from https to http is not followed.")
    return found


def merged_headers(ours: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """`ours`, and those of `extra` that neither repeat one of ours nor frame the message."""
    our_names = {name.lower() for name in ours}
    allowed = {
        name: value
        for name, value in extra.items()
        if name.lower() not in our_names and not is_reserved(name)
    }
    return {**ours, **allowed}


class _Session(requests.Session):
    """Ignores the environment, stores no cookies and follows no redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no proxies, no .netrc
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = GuardedAdapter(pool_maxsize=CONNECTIONS_PER_POOL)
        for prefix in ("https://", "http://"):
            self.mount(prefix, adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # With `allow_redirects=False` a session still reads the whole body of a redirect that has a
        # target, however large it is.
        return None


@lru_cache(maxsize=_MAX_SESSIONS)
def _session_of(endpoint_id: int) -> requests.Session:
    # A session evicted from the cache closes its connections once no thread uses it.
    return _Session()


# A forked child must not use its parent's connections.
os.register_at_fork(after_in_child=_session_of.cache_clear)


def _prepared(url: str, headers: dict[str, str], body: bytes) -> requests.PreparedRequest:
    """As `Request.prepare`, at half the cost: the prepared URL is cached."""
    request = requests.PreparedRequest()
    request.prepare_method("POST")
    request.url = _prepared_url(url)
    request.prepare_headers(headers)
    request.prepare_body(body, None)
    return request


@lru_cache(maxsize=1024)
def _prepared_url(url: str) -> str | None:
    return requests.Request("POST", url).prepare().url


def _exchange(
    session: requests.Session, request: requests.PreparedRequest, timeout: TotalTimeout
) -> tuple[requests.Response, int]:
    """The response, its body unread, and how often the connection was reopened."""
    exchange = Exchange(timeout)
    try:
        return _send(session, request, exchange), 0
    except requests.ConnectionError as error:
        is_stale = exchange.is_connection_reused and not exchange.has_response_begun
        if not is_stale or _is_timeout(error):
            raise
    # The receiver had closed the pooled connection; another pooled one may be as old.
    return _send(session, request, Exchange(timeout, needs_new_connection=True)), 1


def _send(
    session: requests.Session, request: requests.PreparedRequest, exchange: Exchange
) -> requests.Response:
    token = current_exchange.set(exchange)
    try:
        # The connection sets its own timeouts, from what is left of the total.
        return session.send(request, stream=True, allow_redirects=False, timeout=None, proxies={})
    finally:
        current_exchange.reset(token)


def _read_body(
    response: requests.Response, timeout: TotalTimeout, limit: int = MAX_READ_BYTES
) -> tuple[bytes, str]:
    """The first bytes of the body as received (not decompressed), and why it is not complete."""
    timeout.phase = Phase.RESPONSE_BODY
    content = bytearray()
    try:
        with response:  # closes the connection where there may be gigabytes more
            while len(content) < limit:
                more = response.raw.read1(limit - len(content), decode_content=False)
                if not more:
                    break
                content += more
    except (HTTPError, HTTPException, OSError) as error:
        if _is_timeout(error):
            return bytes(content), _timeout_message(timeout)
        return bytes(content), "The body of the response is not complete."
    return bytes(content), ""


def _classified(
    error: Exception, timeout: TotalTimeout, *, is_url_secret: bool = False
) -> tuple[AttemptOutcome, str]:
    # Messages of `requests` contain the URL.
    logged = None if is_url_secret else error
    if isinstance(error, BlockedDestination):
        return AttemptOutcome.BLOCKED_DESTINATION, "This address cannot receive webhooks."
    if _is_timeout(error):
        return AttemptOutcome.TIMEOUT, _timeout_message(timeout)
    tls_error = next((item for item in _chain(error) if isinstance(item, ssl.SSLError)), None)
    if tls_error is not None or timeout.phase is Phase.TLS:
        return AttemptOutcome.TLS_ERROR, _tls_message(tls_error)
    if timeout.phase is Phase.DNS:
        return AttemptOutcome.DNS_ERROR, "The host name could not be found."
    if timeout.phase is Phase.CONNECT:
        return AttemptOutcome.CONNECT_ERROR, "The connection was refused or failed."
    if timeout.phase is Phase.PREPARING:
        logger.error("A webhook request could not be written", exc_info=logged)
        return AttemptOutcome.PROTOCOL_ERROR, "The request could not be written."
    if not isinstance(error, requests.RequestException | HTTPError | HTTPException | OSError):
        logger.error("A webhook request failed with an unexpected error", exc_info=logged)
    return AttemptOutcome.PROTOCOL_ERROR, _protocol_message(error)


def _is_timeout(error: Exception) -> bool:
    return any(isinstance(item, TimeoutError) for item in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and its causes: `requests` wraps what urllib3 wraps."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _timeout_message(timeout: TotalTimeout) -> str:
    seconds = timeout.seconds
    if timeout.phase in (Phase.DNS, Phase.CONNECT):
        seconds = min(CONNECT_SECONDS, seconds)
    return f"Time ran out after {seconds:g} seconds, in {timeout.phase}."


def _tls_message(error: ssl.SSLError | None) -> str:
    reason = error and (getattr(error, "verify_message", None) or error.reason)
    return f"No trusted TLS connection: {reason or 'the handshake failed'}."[:200]


def _protocol_message(error: Exception) -> str:
    causes = list(_chain(error))
    if any(
        isinstance(item, LineTooLong) or "more than 100 headers" in str(item) for item in causes
    ):
        return "The head of the response is too large: at most 100 headers of 64 KiB."
    if any(isinstance(item, ConnectionError) for item in causes):
        return "The connection was closed before a whole response."
    return "The response is not valid HTTP, or broke off."


def _milliseconds(timeout: TotalTimeout) -> int:
    return int(timeout.elapsed * 1000)
