"""Taking a key, keeping its answer, giving it back.

The key is taken in a transaction of its own, so that a second request sees at once that the first
is running. The answer is kept in the transaction of the change itself: either both are there or
neither, however the process ends. Only 2xx answers are kept: a request that failed did nothing and
may be mended and sent again under its key.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError

from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import write_transaction
from kaivox.errors import Conflict, Invalid
from kaivox.idempotency.models import Answered

KEEP = timedelta(hours=24)
# Longer than any request of ours may run.
HOLD = timedelta(seconds=60)


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request. Use a new key for a new request."


class InProgress(Conflict):
    code = "idempotency_in_progress"
    message = "The first request with this Idempotency-Key is still running."


def take_key(*, business: Business, key: str, fingerprint: str, now: datetime) -> Answered:
    """The key, held for this request (`status` is None), or the answer that it got before.

    Raises KeyReused for another request under the same key, InProgress while the first runs.
    """
    with write_transaction():
        _forget_expired(business, key, now)
    try:
        with write_transaction():
            return Answered.objects.create(
                business=business,
                key=key,
                fingerprint=fingerprint,
                holder=uuid.uuid4(),
                held_until=now + HOLD,
                created_at=now,
            )
    except IntegrityError:
        known = Answered.objects.filter(business=business, key=key).first()
    if known is not None and known.fingerprint != fingerprint:
        raise KeyReused(errors={"Idempotency-Key": ["Used for another request before."]})
    if known is None or known.status is None:
        raise InProgress(retry_after=1)
    return known


def keep_answer(taken: Answered, *, status: int, answer: Mapping[str, Any]) -> None:
    """Keeps the answer; call it inside the transaction of the change.

    Raises InProgress where another request holds the key by now: rolling back is right then.
    """
    kept = Answered.objects.filter(pk=taken.pk, holder=taken.holder).update(
        status=status, answer=dict(answer)
    )
    if not kept:
        raise InProgress(retry_after=1)


def give_back(taken: Answered) -> None:
    """Frees the key of a request that failed."""
    with write_transaction():
        Answered.objects.filter(pk=taken.pk, holder=taken.holder, status=None).delete()


def prune(*, now: datetime) -> int:
    """Deletes the answers older than 24 hours; returns how many."""
    with write_transaction():
        count, _ = Answered.objects.filter(created_at__lt=now - KEEP).delete()
    return count


def _forget_expired(business: Business, key: str, now: datetime) -> None:
    """Frees the key where its day is over, or where the request that held it has crashed."""
    of_key = Answered.objects.filter(business=business, key=key)
    of_key.filter(created_at__lt=now - KEEP).delete()
    of_key.filter(status=None, held_until__lt=now).delete()
