"""Places that a business may take at once, counted in the cache that all web processes share."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Self

from django.core.cache import cache

from kaivox.redis import RedisUnavailable, breaker


class Lease:
    """One of the places called `name`. It ends when it is released, or by itself `seconds` after it was
    acquired or renewed: a process that died frees its places so.

    While Redis is unavailable everyone gets one: callers have a limit for their process besides.
    """

    def __init__(self, name: str | None, token: str, seconds: int) -> None:
        self._name = name  # None: acquired while Redis was unavailable
        self._token = token
        self._seconds = seconds

    @classmethod
    def acquire(cls, name: str, *, places: int, seconds: int) -> Self | None:
        """None where all places are taken."""
        token = secrets.token_hex(8)
        names = [f"{name}:{place}" for place in range(places)]
        try:
            free = breaker.call(
                lambda: next((one for one in names if cache.add(one, token, seconds)), None)
            )
        except RedisUnavailable:
            return cls(None, token, seconds)
        return None if free is None else cls(free, token, seconds)

    def renew(self) -> None:
        if (name := self._name) is not None:
            with suppress(RedisUnavailable):
                breaker.call(lambda: cache.touch(name, self._seconds))

    def release(self) -> None:
        if (name := self._name) is not None:
            with suppress(RedisUnavailable):
                # Not if it expired and another request holds it now.
                if breaker.call(lambda: cache.get(name)) == self._token:
                    breaker.call(lambda: cache.delete(name))
