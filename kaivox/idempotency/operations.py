"""Taking a key, keeping its answer, giving it back.

The key is taken in a transaction of its own, so that a second request sees at once that the first
is running. The answer is kept in the transaction of the change itself: either both are there or
neither, however the process ends. Only 2xx answers are kept: a request that failed did nothing and
may be mended and sent again under its key.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError

from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write, write_transaction
from kaivox.errors import Conflict, Invalid
from kaivox.idempotency.models import KEEP, Answered

# Longer than any request of ours may run.
HOLD: Final = timedelta(seconds=60)


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
    hold: dict[str, Any] = {
        "fingerprint": fingerprint,
        "holder": uuid.uuid4(),
        "held_until": now + HOLD,
        "created_at": now,
    }
    try:
        with write_transaction():
            return Answered.objects.create(business=business, key=key, **hold)
    except IntegrityError:
        known = Answered.objects.filter(business=business, key=key).first()
    if known is None:  # the first gave its key back this very moment
        raise InProgress(retry_after=1)
    if known.is_over(now):
        return _take_over(known, hold)
    if known.fingerprint != fingerprint:
        raise KeyReused(errors={"Idempotency-Key": ["Used for another request before."]})
    if known.status is None:
        raise InProgress(retry_after=1)
    return known


def keep_answer(taken: Answered, *, status: int, answer: str) -> None:
    """Keeps the answer; call it inside the transaction of the change.

    Raises InProgress where another request holds the key by now: rolling back is right then.
    """
    kept = Answered.objects.filter(pk=taken.pk, holder=taken.holder).update(
        status=status, answer=answer
    )
    if not kept:
        raise InProgress(retry_after=1)


@atomic_write
def give_back(taken: Answered) -> None:
    """Frees the key of a request that failed."""
    Answered.objects.filter(pk=taken.pk, holder=taken.holder, status=None).delete()


@atomic_write
def prune(*, now: datetime) -> int:
    """Deletes the answers older than 24 hours; returns how many."""
    count, _ = Answered.objects.filter(created_at__lt=now - KEEP).delete()
    return count


@atomic_write
def _take_over(known: Answered, hold: dict[str, Any]) -> Answered:
    # Of several that find the key free again, one changes the holder that all have seen.
    mine = Answered.objects.filter(pk=known.pk, holder=known.holder).update(
        **hold, status=None, answer=None
    )
    if not mine:
        raise InProgress(retry_after=1)
    return Answered.objects.get(pk=known.pk)
