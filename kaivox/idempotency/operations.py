"""Acquires an idempotency key, stores its response, releases it.

The key is acquired in a transaction of its own, so that a second request sees at once that the first
is running. The response is stored in the transaction of the change: either both exist or neither,
however the process ends. Only 2xx responses are stored: a request that failed changed nothing and may
be corrected and sent again under its key.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError

from kaivox.businesses.models import Business
from kaivox.db.batches import delete_in_batches
from kaivox.db.outages import OUTAGES
from kaivox.db.transactions import atomic_write, write_transaction
from kaivox.errors import Conflict, Invalid
from kaivox.idempotency.models import RETENTION, IdempotencyRecord

# How long a key stays held by a request whose process or database died. Longer than statements may run; a
# request that takes longer changes nothing if another one holds its key by then (`store_response`).
LEASE: Final = timedelta(seconds=20)

# Keys, with their holders, that could not be released. The oldest are forgotten: their lease ends too.
_unreleased: deque[tuple[int, uuid.UUID]] = deque(maxlen=1000)


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request. Use a new key for a new request."


class InProgress(Conflict):
    code = "idempotency_in_progress"
    message = "The first request with this Idempotency-Key is still running."


def acquire(
    *,
    business: Business,
    key: str,
    fingerprint: str,
    scopes: Collection[str],
    now: datetime,
) -> IdempotencyRecord:
    """The record of `key`: held for this request (`status` is None), or with the stored response.

    Raises KeyReused for another request under the same key, InProgress while the first runs.
    """
    _release_all()
    hold: dict[str, Any] = {
        "fingerprint": fingerprint,
        "scopes": sorted(scopes),
        "holder": uuid.uuid4(),
        "held_until": now + LEASE,
        "created_at": now,
    }
    try:
        with write_transaction():
            return IdempotencyRecord.objects.create(business=business, key=key, **hold)
    except IntegrityError:
        known = IdempotencyRecord.objects.filter(business=business, key=key).first()
    if known is None:  # the first request released it just now
        raise InProgress(retry_after=1)
    if known.is_over(now):
        return _take_over(known, hold)
    if known.fingerprint != fingerprint:
        raise KeyReused(errors={"Idempotency-Key": ["Used for another request before."]})
    if known.status is None:
        raise InProgress(retry_after=1)
    return known


def store_response(record: IdempotencyRecord, *, status: int, answer: str) -> None:
    """Stores the response as the JSON `answer`; call it inside the transaction of the change.

    Raises InProgress where this request's lease ran out and another holds the key, so that the change
    is rolled back.
    """
    is_holder = IdempotencyRecord.objects.filter(pk=record.pk, holder=record.holder).update(
        status=status, answer=answer
    )
    if not is_holder:
        raise InProgress(retry_after=1)


def release(record: IdempotencyRecord) -> None:
    """Releases the key of a request that failed; where the database is unavailable, before the next
    `acquire` of this process."""
    _unreleased.append((record.pk, record.holder))
    _release_all()


def _release_all() -> None:
    while _unreleased:
        try:
            pk, holder = held = _unreleased.popleft()
        except IndexError:  # another thread was faster
            return
        try:
            with write_transaction():
                IdempotencyRecord.objects.filter(pk=pk, holder=holder, status=None).delete()
        except OUTAGES:
            _unreleased.append(held)
            raise


def prune(*, now: datetime) -> int:
    """Deletes records older than 24 hours, in batches; returns how many."""
    return delete_in_batches(IdempotencyRecord.objects.filter(created_at__lt=now - RETENTION))


@atomic_write
def _take_over(known: IdempotencyRecord, hold: dict[str, Any]) -> IdempotencyRecord:
    # Compare and swap on the holder: of several that find the key free, one gets it.
    is_mine = IdempotencyRecord.objects.filter(pk=known.pk, holder=known.holder).update(
        **hold, status=None, answer=None
    )
    if not is_mine:
        raise InProgress(retry_after=1)
    return IdempotencyRecord.objects.get(pk=known.pk)
