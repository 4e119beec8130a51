"""How do many deliveries go out at once from one worker process?

One thread speaks to the database: it notes a handful of answers and claims as many new deliveries
in one transaction. The others only send. So a process holds one connection however many requests
are under way, no transaction is open during a request, and the more there is to do, the more
deliveries share a commit.
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
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from kaivox.businesses.write_lock import write_transaction
from kaivox.errors import Unavailable
from webhooks import delivery
from webhooks.delivery import Answer
from webhooks.outbox import Claim, claim_due, is_something_due, settle

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 100  # claims and answers of one transaction
_DATABASE_REST_SECONDS: Final = 1.0
_MOMENT_SECONDS: Final = 2.0  # as often as the sweep comes round
_LOCKED_SECONDS: Final = 0.02  # longer than a claim holds its locks
_LOOKS: Final = 5

# A finished request, or None: look again, something new is due.
_Inbox = SimpleQueue[tuple[Claim, Answer] | None]


class Dispatcher:
    """Sends what is due until nothing is left. Of many calls in one process one does the work; the
    others tell it to look again."""

    def __init__(self, clock: Callable[[], datetime] = timezone.now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inbox: _Inbox | None = None
        self._look_again = False
        self._stopping = False
        self._next_retry: datetime | None = None
        self._looks_left = _LOOKS

    def run(self) -> None:
        """Returns when nothing is due and nothing under way; at once where another call runs."""
        inbox = self._enter()
        if inbox is None:
            return
        try:
            with ThreadPoolExecutor(settings.WEBHOOK_SENDERS, "webhook-sender") as senders:
                self._send_all(inbox, senders)
        finally:
            with self._lock:
                if self._inbox is inbox:  # left by an exception
                    self._inbox = None

    def stop(self) -> None:
        """Claims nothing more; what is under way is finished."""
        self._stopping = True

    def _enter(self) -> _Inbox | None:
        with self._lock:
            if self._inbox is not None:
                self._look_again = True
                self._inbox.put(None)
                return None
            self._inbox = SimpleQueue()
            return self._inbox

    def _send_all(self, inbox: _Inbox, senders: ThreadPoolExecutor) -> None:
        under_way: set[Claim] = set()
        answers: list[tuple[Claim, Answer]] = []
        while True:
            claims = self._settle_and_claim(answers, under_way)
            for claim in claims:
                senders.submit(_send, claim, inbox)
            under_way.update(claims)
            answers = []
            if claims:
                self._looks_left = _LOOKS
            if any(claim.to_troubled for claim in claims):
                continue  # these had been let in up to their share; the others come now
            if not under_way and self._may_leave(inbox):
                return
            answers = _messages(inbox) if under_way else []
            under_way -= {claim for claim, _ in answers}

    def _settle_and_claim(
        self, answers: list[tuple[Claim, Answer]], under_way: set[Claim]
    ) -> list[Claim]:
        limit = 0 if self._stopping else min(settings.WEBHOOK_SENDERS - len(under_way), _AT_ONCE)
        # Endpoints that fail get at most half of the senders, however many of them hang.
        troubled = sum(claim.to_troubled for claim in under_way)
        for_troubled = max(0, settings.WEBHOOK_SENDERS // 2 - troubled)
        while True:
            try:
                with write_transaction():
                    if answers:
                        self._plan(settle(answers, now=self._clock()))
                    if limit <= 0:
                        return []
                    return claim_due(limit=limit, for_troubled=for_troubled, now=self._clock())
            except (OperationalError, InterfaceError, Unavailable) as error:
                # What was sent must be noted, or it would go out again when its lease expires.
                if not answers and not under_way:
                    raise
                logger.warning("The database is away (%s); answers wait", error)
                connection.close()
                time.sleep(_DATABASE_REST_SECONDS)

    def _plan(self, retry_at: datetime | None) -> None:
        if retry_at is not None:
            self._next_retry = min(retry_at, self._next_retry or retry_at)

    def _may_leave(self, inbox: _Inbox) -> bool:
        """False where there may be something to do; waits for a retry that is due in a moment, so
        that it is not late by a sweep, and for the locks of another process that claims."""
        retry_at, self._next_retry = self._next_retry, None
        if retry_at is not None and not self._stopping:
            wait = (retry_at - self._clock()).total_seconds()
            if wait <= _MOMENT_SECONDS:
                with suppress(Empty):
                    inbox.get(timeout=max(0.001, wait))
                return False
        if self._looks_left and not self._stopping and is_something_due(self._clock()):
            self._looks_left -= 1
            time.sleep(_LOCKED_SECONDS)
            return False
        with self._lock:
            if self._look_again and not self._stopping:
                self._look_again = False
                return False
            self._inbox = None
            return True


def _send(claim: Claim, inbox: _Inbox) -> None:
    inbox.put((claim, delivery.post(claim.url, claim.headers, claim.body)))


def _messages(inbox: _Inbox) -> list[tuple[Claim, Answer]]:
    """Waits for one message, then takes all that are there. Empty: something new may be due."""
    messages = [inbox.get()]
    while len(messages) < _AT_ONCE:
        try:
            messages.append(inbox.get_nowait())
        except Empty:
            break
    return [message for message in messages if message is not None]


dispatcher = Dispatcher()
