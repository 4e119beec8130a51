"""Could this be a key of ours? Asked of memory, for callers from an address that has been guessing.

Such an address gets no more look-ups; a customer behind the same address must still get in with a
right key. So each process then keeps the first 60 bits of the digest of every live key, 8 bytes
each, and asks the database only about keys that are in there. A guess is not, but for one chance in
2**60 / (number of keys).
"""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_left
from typing import Final

from django.db import DatabaseError
from django.utils import timezone

from kaivox.businesses import keys
from kaivox.businesses.marks import EVERYBODY, Mark, read_mark
from kaivox.businesses.models import ApiKey
from kaivox.redis_store import StoreAway

_DIGITS: Final = 15  # of the hex digest: 60 bits
# So many keys are read anew whenever one has changed; a longer list rests a second for each such
# number, and meanwhile the database is asked.
_READ_AT_ONCE: Final = 20_000

_lock = threading.Lock()
_numbers = array("Q")
_mark: Mark | None = None
_reads_again_at = 0.0


def may_be_known(secret: str) -> bool:
    """False where `secret` is surely no live key; without a query unless keys have changed."""
    if not refresh():
        return True
    number = _number_of(keys.digest_of(secret))
    place = bisect_left(_numbers, number)
    return place < len(_numbers) and _numbers[place] == number


def refresh() -> bool:
    """Reads the list where keys have changed since it was read; whether it is as they are now."""
    global _numbers, _mark, _reads_again_at
    try:
        mark = read_mark(EVERYBODY)
    except StoreAway:
        return True  # the list as it was; newer keys are known when Redis is back
    with _lock:
        if mark == _mark:
            return True
        now = time.monotonic()
        if now < _reads_again_at:
            return False
        try:
            _numbers = _read()
        except DatabaseError:
            return True  # then nobody else gets in either
        _mark = mark
        _reads_again_at = now + len(_numbers) // _READ_AT_ONCE
        return True


def _read() -> array[int]:
    live = ApiKey.objects.live(timezone.now()).values_list("digest", flat=True)
    return array("Q", sorted(map(_number_of, live.iterator(chunk_size=5_000))))


def _number_of(digest: str) -> int:
    return int(digest[:_DIGITS], 16)
