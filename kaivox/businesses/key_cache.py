"""Which key is this? At most one query, and none when it was asked in the last seconds.

What is remembered holds only while the business's mark stands (`marks`), so a revoked, expired or
narrowed key, a suspended business or another plan holds at the next request.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from kaivox.businesses import keys
from kaivox.businesses.marks import Mark, read_mark, stands_here
from kaivox.businesses.models import ApiKey
from kaivox.redis_store import StoreAway

# Bounds how long a change can go unseen when Redis is away at the moment of the change.
REMEMBERED_SECONDS: Final = 5.0
MANY: Final = 20_000

# Reads the mark of a key's business; is told the mark with which the key was remembered.
ReadMark = Callable[[ApiKey, Mark], Mark]

_NOBODY: Final = keys.digest_of("nobody's key")


@dataclass(frozen=True, slots=True)
class _Found:
    key: ApiKey
    mark: Mark | None  # None: not known, so never equal to a mark read
    until: float


_found: dict[str, _Found] = {}


def find_key(secret: str, read: ReadMark | None = None) -> ApiKey | None:
    """The key whose secret this is, with its business; shared between requests, so read only.

    It may be revoked or expired: that is the caller's to judge, at the caller's `now`. `read` is
    for a caller who has more to ask of Redis in the same breath; it is called where the mark alone
    decides whether the remembered key holds.
    """
    digest = keys.digest_of(secret)
    last = _found.get(digest)
    may_hold = last is not None and time.monotonic() < last.until
    # Read before the query: a change that comes between the two is then seen next time.
    mark = _mark_now(last, read if may_hold else None) if last else None
    if last and may_hold and mark is not None and mark == last.mark:
        return last.key
    key = look_up(secret[: keys.PREFIX_LENGTH], digest)
    if key is None:
        _found.pop(digest, None)
        return None
    if len(_found) >= MANY:
        _found.clear()
    _found[digest] = _Found(key, mark, time.monotonic() + REMEMBERED_SECONDS)
    return key


def is_held(key: ApiKey) -> bool:
    """Whether `key`, as `find_key` gave it, still holds where its business's mark stands."""
    last = _found.get(key.digest)
    return last is not None and last.key is key and time.monotonic() < last.until


def is_remembered(secret: str) -> bool:
    """Whether the key was found lately: it is no guess."""
    return keys.digest_of(secret) in _found


def forget_all() -> None:
    """As in a process that has just begun."""
    _found.clear()


def look_up(prefix: str, digest: str) -> ApiKey | None:
    """One query by the prefix, which is no secret; the digest is compared in constant time."""
    key = ApiKey.objects.select_related(*settings.API_KEY_RELATED).filter(prefix=prefix).first()
    stored = key.digest if key else _NOBODY
    return key if hmac.compare_digest(stored, digest) else None


def _mark_now(last: _Found, read: ReadMark | None) -> Mark | None:
    """None: not known."""
    business_id = last.key.business_id
    try:
        if read and last.mark is not None and stands_here(last.mark, business_id):
            return read(last.key, last.mark)
        return read_mark(business_id)
    except StoreAway:
        return None
