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
from webhooks.outbox import Claim, claim_due, settle

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 100  # claims and answers of one transaction
_DATABASE_REST_SECONDS: Final = 1.0

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
        under_way = 0
        answers: list[tuple[Claim, Answer]] = []
        while True:
            free = settings.WEBHOOK_SENDERS - under_way
            for claim in self._settle_and_claim(answers, free, patient=under_way > 0):
                senders.submit(_send, claim, inbox)
                under_way += 1
            if under_way == 0 and self._may_leave():
                return
            answers = _next_answers(inbox) if under_way else []
            under_way -= len(answers)

    def _settle_and_claim(
        self, answers: list[tuple[Claim, Answer]], free: int, *, patient: bool
    ) -> list[Claim]:
        limit = 0 if self._stopping else min(free, _AT_ONCE)
        while True:
            try:
                with write_transaction():
                    if answers:
                        settle(answers, now=self._clock())
                    return claim_due(limit=limit, now=self._clock()) if limit else []
            except (OperationalError, InterfaceError, Unavailable) as error:
                # What was sent must be noted, or it would go out again when its lease expires.
                if not answers and not patient:
                    raise
                logger.warning("The database is away (%s); answers wait", error)
                connection.close()
                time.sleep(_DATABASE_REST_SECONDS)

    def _may_leave(self) -> bool:
        with self._lock:
            if self._look_again and not self._stopping:
                self._look_again = False
                return False
            self._inbox = None
            return True


def _send(claim: Claim, inbox: _Inbox) -> None:
    attempt = claim.attempt
    inbox.put((claim, delivery.post(attempt.url, attempt.request_headers, claim.body)))


def _next_answers(inbox: _Inbox) -> list[tuple[Claim, Answer]]:
    """Waits for one message, then takes all that are there. Empty: something new may be due."""
    messages = [inbox.get()]
    while len(messages) < _AT_ONCE:
        try:
            messages.append(inbox.get_nowait())
        except Empty:
            break
    return [message for message in messages if message is not None]


dispatcher = Dispatcher()
