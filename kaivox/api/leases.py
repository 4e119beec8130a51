"""Places that a business may take at once, counted in the cache that all web processes share.

A place belongs to the token that is stored under its name. Whose it is and the change that follows are
one step: between two, the lease could end and someone else take the place.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from typing import Final, Protocol, Self

from django.conf import settings
from django.core.cache import cache

from kaivox.redis import RedisUnavailable, breaker, client


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
        take = _places().take
        try:
            free = breaker.call(
                lambda: next((one for one in names if take(one, token, seconds)), None)
            )
        except RedisUnavailable:
            return cls(None, token, seconds)
        return None if free is None else cls(free, token, seconds)

    def renew(self) -> None:
        """Also where it has ended, unless someone else has the place by now."""
        if (name := self._name) is not None:
            with suppress(RedisUnavailable):
                breaker.call(lambda: _places().renew(name, self._token, self._seconds))

    def release(self) -> None:
        """Frees the place, unless the lease has ended and someone else has it by now."""
        if (name := self._name) is not None:
            with suppress(RedisUnavailable):
                breaker.call(lambda: _places().release(name, self._token))


class _Places(Protocol):
    def take(self, name: str, token: str, seconds: int) -> bool: ...

    def renew(self, name: str, token: str, seconds: int) -> None: ...

    def release(self, name: str, token: str) -> None: ...


def _places() -> _Places:
    return _IN_REDIS if settings.REDIS_URL else _IN_MEMORY


class _InRedis:
    _RENEW: Final = """
    local holder = redis.call('GET', KEYS[1])
    if not holder or holder == ARGV[1] then
      redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
    end
    """
    _RELEASE: Final = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then
      redis.call('DEL', KEYS[1])
    end
    """

    def take(self, name: str, token: str, seconds: int) -> bool:
        return bool(client().set(cache.make_key(name), token, nx=True, ex=seconds))

    def renew(self, name: str, token: str, seconds: int) -> None:
        client().eval(self._RENEW, 1, cache.make_key(name), token, str(seconds))

    def release(self, name: str, token: str) -> None:
        client().eval(self._RELEASE, 1, cache.make_key(name), token)


class _InMemory:
    """Of the only web process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def take(self, name: str, token: str, seconds: int) -> bool:
        with self._lock:
            return cache.add(name, token, seconds)

    def renew(self, name: str, token: str, seconds: int) -> None:
        with self._lock:
            if cache.get(name) in (None, token):
                cache.set(name, token, seconds)

    def release(self, name: str, token: str) -> None:
        with self._lock:
            if cache.get(name) == token:
                cache.delete(name)


_IN_REDIS: Final = _InRedis()
_IN_MEMORY: Final = _InMemory()
