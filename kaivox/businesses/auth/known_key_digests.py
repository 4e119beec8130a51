"""In-memory digests of valid API keys, so that guessed keys cost no query.

An address over its limit of failed authentications gets no more queries, but a customer behind the
same address must still be able to use a valid key. So each process stores the digests (60 bits each)
of the keys that it has authenticated and, once an address exceeds its limit, of all valid keys.
A known digest is only a filter: the key is still looked up. An unknown one may have just been issued
by another process, so the list is reloaded first, at most `MAX_RELOADS` times a second and less often
when it is long, however many guesses arrive. A new key is therefore valid immediately in every
process; only behind an address that guesses faster than that may it be rejected for a moment.
"""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_left
from collections import deque
from typing import Final

from django.utils import timezone

from kaivox.businesses.models import ApiKey

MAX_RELOADS: Final = 10
# A list of this length loads in milliseconds; each further batch lengthens the window by a second.
_BATCH_SIZE: Final = 5_000
_MAX_AUTHENTICATED: Final = 20_000

_DIGITS: Final = 15  # of the hex digest: 60 bits

_lock = threading.Lock()
_digests = array("Q")  # all valid keys at the last reload, sorted; replaced, never mutated
_authenticated: set[int] = set()  # since then, in this process
_reloads: deque[float] = deque(maxlen=MAX_RELOADS)


def add(digest: str) -> None:
    """The key with this digest is valid."""
    if len(_authenticated) >= _MAX_AUTHENTICATED:
        _authenticated.clear()
    _authenticated.add(_number_of(digest))


def discard(digest: str) -> None:
    """The key with this digest is no longer valid: repeating it counts as guessing."""
    global _digests
    number = _number_of(digest)
    _authenticated.discard(number)
    with _lock:
        position = bisect_left(_digests, number)
        if position < len(_digests) and _digests[position] == number:
            _digests = _digests[:position] + _digests[position + 1 :]


def contains(digest: str) -> bool:
    """Whether the digest is known in memory. Makes no query."""
    number, digests = _number_of(digest), _digests
    if number in _authenticated:
        return True
    position = bisect_left(digests, number)
    return position < len(digests) and digests[position] == number


def contains_after_reload(digest: str) -> bool:
    """`contains` after a reload, unless the limit of reloads has been reached."""
    _reload()
    return contains(digest)


def _reload() -> None:
    global _digests
    with _lock:
        now = time.monotonic()
        window = 1.0 + len(_digests) // _BATCH_SIZE
        if len(_reloads) == MAX_RELOADS and now - _reloads[0] < window:
            return
        _reloads.append(now)
        valid = ApiKey.objects.live(timezone.now()).values_list("digest", flat=True)
        _digests = array("Q", sorted(map(_number_of, valid.iterator(chunk_size=5_000))))
        _authenticated.clear()


def _number_of(digest: str) -> int:
    return int(digest[:_DIGITS], 16)
