"""Dispatcher: claims due deliveries, sends them in threads and records the results.

One thread uses the database: it records a batch of results and claims as many new deliveries in one
transaction. The others only send. So a process holds one connection however many requests are in
flight, no transaction is open during a request, and the higher the load, the more deliveries share a
commit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Final

from django.conf import settings
from django.db import connection

from kaivox.db.clock import database_now
from kaivox.db.outages import OUTAGES
from kaivox.db.transactions import write_transaction
from kaivox.metrics import ATTEMPTS
from kaivox.tracing import client_span
from webhooks import sender
from webhooks.delivery_queue import ClaimedDelivery, claim_due, has_due
from webhooks.delivery_results import record_results
from webhooks.rate_limits import next_limit_end
from webhooks.sender import DeliveryResult

logger = logging.getLogger(__name__)

_BATCH_SIZE: Final = 100  # claims and results per transaction
DATABASE_COOLDOWN_SECONDS: Final = 1.0
_RETRY_SOON_SECONDS: Final = 2.0  # the interval of the sweep
_LOCK_WAIT_SECONDS: Final = 0.02  # longer than a claim holds its locks
_POLLS_BEFORE_EXIT: Final = 5

# A finished request, or None: something new may be due.
_Inbox = SimpleQueue[tuple[ClaimedDelivery, DeliveryResult] | None]


class Dispatcher:
    """Sends due deliveries until none is left. Of concurrent calls in one process one does the work;
    the others make it poll once more."""

    def __init__(self, clock: Callable[[], datetime] = database_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inbox: _Inbox | None = None
        self._poll_again = False
        self._stopping = False
        self._next_retry: datetime | None = None
        self._polls_left = _POLLS_BEFORE_EXIT

    def run(self) -> None:
        """Returns when nothing is due or in flight, or at once if another call is running."""
        inbox = self._enter()
        if inbox is None:
            return
        try:
            with ThreadPoolExecutor(settings.WEBHOOK_SENDERS, "webhook-sender") as senders:
                self._send_all(inbox, senders)
        finally:
            with self._lock:
                if self._inbox is inbox:  # an exception ended `_send_all`
                    self._inbox = None

    def stop(self) -> None:
        """Claims nothing more; requests in flight are completed and recorded."""
        self._stopping = True

    def _enter(self) -> _Inbox | None:
        with self._lock:
            if self._inbox is not None:
                self._poll_again = True
                self._inbox.put(None)
                return None
            self._inbox = SimpleQueue()
            return self._inbox

    def _send_all(self, inbox: _Inbox, senders: ThreadPoolExecutor) -> None:
        in_flight: set[ClaimedDelivery] = set()
        results: list[tuple[ClaimedDelivery, DeliveryResult]] = []
        while True:
            claims = self._record_and_claim(results, in_flight)
            for claim in claims:
                senders.submit(_send, claim, inbox)
            in_flight.update(claims)
            results = []
            if claims:
                self._polls_left = _POLLS_BEFORE_EXIT
            if any(claim.endpoint_is_failing for claim in claims):
                continue  # failing endpoints had their share; claim for the others before waiting
            if not in_flight and self._can_exit(inbox):
                return
            results = _messages(inbox) if in_flight else []
            in_flight -= {claim for claim, _ in results}

    def _record_and_claim(
        self, results: list[tuple[ClaimedDelivery, DeliveryResult]], in_flight: set[ClaimedDelivery]
    ) -> list[ClaimedDelivery]:
        limit = 0 if self._stopping else min(settings.WEBHOOK_SENDERS - len(in_flight), _BATCH_SIZE)
        # Failing endpoints get at most half of the sender threads, however many of them hang.
        failing = sum(claim.endpoint_is_failing for claim in in_flight)
        max_failing = max(0, settings.WEBHOOK_SENDERS // 2 - failing)
        while True:
            try:
                with write_transaction():
                    now = self._clock()
                    if results:
                        self._plan(record_results(results, now=now))
                    claims = (
                        claim_due(limit=limit, max_failing=max_failing, now=now)
                        if limit > 0
                        else []
                    )
                for _, result in results:
                    ATTEMPTS.labels(result.outcome.value).inc()
                return claims
            except OUTAGES as error:
                # Results have to be recorded, or the deliveries are sent again when their lease expires.
                if not results and not in_flight:
                    raise
                logger.warning("The database is unavailable (%s); webhook results wait", error)
                connection.close()
                time.sleep(DATABASE_COOLDOWN_SECONDS)

    def _plan(self, retry_at: datetime | None) -> None:
        if retry_at is not None:
            self._next_retry = min(retry_at, self._next_retry or retry_at)

    def _can_exit(self, inbox: _Inbox) -> bool:
        """Whether nothing is left to do. Waits for a retry that is due, or a rate limit that ends,
        within seconds, so that it does not wait for the next sweep; and for the locks of another
        process that is claiming."""
        now = self._clock()
        self._plan(next_limit_end(now))
        retry_at, self._next_retry = self._next_retry, None
        if retry_at is not None and not self._stopping:
            wait = (retry_at - now).total_seconds()
            if wait <= _RETRY_SOON_SECONDS:
                with suppress(Empty):
                    inbox.get(timeout=max(0.001, wait))
                return False
        if self._polls_left and not self._stopping and has_due(self._clock()):
            self._polls_left -= 1
            time.sleep(_LOCK_WAIT_SECONDS)
            return False
        with self._lock:
            if self._poll_again and not self._stopping:
                self._poll_again = False
                return False
            self._inbox = None
            return True


def _send(claim: ClaimedDelivery, inbox: _Inbox) -> None:
    # Neither URL nor headers: both may contain secrets of the receiver.
    attributes = {
        "http.request.method": "POST",
        "kaivox.event_type": claim.event_type,
        "kaivox.delivery_id": claim.delivery_id,
        "kaivox.attempt": claim.number,
    }
    with client_span(
        f"POST {claim.event_type}",
        parent=claim.parent_span,
        traceparent=claim.headers["traceparent"],
        attributes=attributes,
    ) as add:
        result = sender.post(
            claim.url,
            claim.headers,
            claim.body,
            endpoint_id=claim.endpoint_id,
            extra_headers=claim.extra_headers,
        )
        if result.http_status is not None:
            add({"http.response.status_code": result.http_status})
        if not result.succeeded:
            add({"error.type": result.outcome.value})
    inbox.put((claim, result))


def _messages(inbox: _Inbox) -> list[tuple[ClaimedDelivery, DeliveryResult]]:
    """Waits for one message and returns all that are queued; empty if something new may be due."""
    messages = [inbox.get()]
    while len(messages) < _BATCH_SIZE:
        try:
            messages.append(inbox.get_nowait())
        except Empty:
            break
    return [message for message in messages if message is not None]


dispatcher = Dispatcher()
