"""The Redis that counts requests and tells processes of changed keys: one client, short timeouts,
and a breaker, so that an outage costs one request 100 ms every two seconds, not each request.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

R = TypeVar("R")

# A Redis that is gone fails to connect, one that hangs connects and does not answer: either way a
# caller waits this long, once. Less, and a busy machine looks like an outage.
TIMEOUT_SECONDS: Final = 0.09
REST_SECONDS: Final = 2.0
# A Redis that comes and goes is told of so often.
TOLD_EVERY_SECONDS: Final = 60.0


class StoreAway(Exception):
    """Redis does not answer, or did not a moment ago."""


class Breaker:
    """Calls Redis through it; after a failure nobody asks again for `rest` seconds.

    One warning goes to the log per outage, one more when it is over, and no more than that a minute.
    """

    def __init__(
        self, rest: float = REST_SECONDS, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest = rest
        self._timer = timer
        self._lock = threading.Lock()
        self._asks_again_at: float | None = None
        self._told_at: float | None = None
        self._outage_is_told = False

    def call(self, ask: Callable[[], R]) -> R:
        """What `ask` returns. Raises StoreAway."""
        if self._asks_again_at is not None:
            self._let_one_through(self._asks_again_at)
        try:
            answer = ask()
        except (RedisError, OSError) as error:
            self._open(error)
            raise StoreAway from error
        if self._asks_again_at is not None:
            self._close()
        return answer

    def _let_one_through(self, asks_again_at: float) -> None:
        with self._lock:
            now = self._timer()
            if now < asks_again_at or self._asks_again_at != asks_again_at:
                raise StoreAway
            self._asks_again_at = now + self._rest

    def _open(self, error: Exception) -> None:
        with self._lock:
            now = self._timer()
            tell = self._asks_again_at is None and (
                self._told_at is None or now - self._told_at >= TOLD_EVERY_SECONDS
            )
            self._asks_again_at = now + self._rest
            if tell:
                self._told_at, self._outage_is_told = now, True
        if tell:
            logger.warning("Redis is away: quotas are kept in this process (%s)", error)

    def _close(self) -> None:
        with self._lock:
            self._asks_again_at = None
            tell, self._outage_is_told = self._outage_is_told, False
        if tell:
            logger.warning("Redis is back: quotas are shared again")


class Line:
    """A connection for each thread that asks, kept open, for what every request needs.

    The client takes one from its pool for each command and looks whether it still lives: a quarter
    of the time that a command takes.
    """

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._of_thread = threading.local()

    def ask(self, *command: str | int | bytes) -> Any:
        """Redis' answer. Ask through a breaker."""
        connection = self._connection()
        try:
            connection.send_command(*command)
            return connection.read_response()
        except NotConnected:  # it died while idle: once more, on a new one
            connection.disconnect()
            connection.send_command(*command)
            return connection.read_response()

    def _connection(self) -> Any:
        kept: tuple[int, Any] | None = getattr(self._of_thread, "kept", None)
        if kept is None or kept[0] != os.getpid():  # a fork's child must not talk on its parent's
            kept = self._of_thread.kept = os.getpid(), self._connect()
        return kept[1]

    def _connect(self) -> Any:
        # Not the pool's, which counts only what comes back to it.
        return self._pool.connection_class(**self._pool.connection_kwargs)


breaker = Breaker()


@cache
def client() -> Redis:
    """This process's client. Ask through `breaker.call`."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        # A connection that died while idle is made anew at once; a slow Redis is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(NotConnected,)),
        protocol=2,
        driver_info=None,  # two round trips less for a new connection
    )
