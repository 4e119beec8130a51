"""Redis client of quotas and cache, with a circuit breaker: an outage delays one request every two seconds
by 100 ms, not every request. Serializer of Django's cache.

One server, a Redis Sentinel or a Redis Cluster:

    redis://host:6379/0                                     rediss:// with TLS
    redis+sentinel://host:26379,host:26379/SERVICE/0        rediss+sentinel://; ?sentinel_password=
    redis+cluster://host:6379,host:6379                     rediss+cluster://
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import pickle
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.cache.backends import redis as django_cache
from django.utils.functional import SimpleLazyObject
from redis import Redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException, RedisError
from redis.sentinel import Sentinel

logger = logging.getLogger(__name__)

R = TypeVar("R")

COOLDOWN_SECONDS: Final = 2.0
# At most one outage is logged per interval, however often Redis comes and goes.
LOG_INTERVAL_SECONDS: Final = 60.0


class RedisUnavailable(Exception):
    """Redis did not respond, or the circuit breaker is open."""


class CircuitBreaker:
    """Stops calls to Redis for `rest` seconds after a failure, then lets one call probe it.

    Logs one warning per outage and one at its end, at most once a minute: an outage that begins
    within a minute of the last warning is logged when that minute is over, if it still lasts.
    """

    def __init__(
        self, rest: float = COOLDOWN_SECONDS, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest = rest
        self._timer = timer
        self._lock = threading.Lock()
        self._half_open_at: float | None = None
        self._logged_at: float | None = None
        self._outage_logged = False

    def call(self, command: Callable[[], R]) -> R:
        """What `command` returns. Raises RedisUnavailable."""
        if self._half_open_at is not None:
            self._admit_probe(self._half_open_at)
        try:
            result = command()
        except (RedisError, RedisClusterException, OSError) as error:
            self._open(error)
            raise RedisUnavailable from error
        if self._half_open_at is not None:
            self._close()
        return result

    def _admit_probe(self, half_open_at: float) -> None:
        with self._lock:
            now = self._timer()
            if now < half_open_at or self._half_open_at != half_open_at:
                raise RedisUnavailable
            self._half_open_at = now + self._rest

    def _open(self, error: Exception) -> None:
        with self._lock:
            now = self._timer()
            log = not self._outage_logged and (
                self._logged_at is None or now - self._logged_at >= LOG_INTERVAL_SECONDS
            )
            self._half_open_at = now + self._rest
            if log:
                self._logged_at, self._outage_logged = now, True
        if log:
            logger.warning("Redis is unavailable: quotas are counted per process (%s)", error)

    def _close(self) -> None:
        with self._lock:
            self._half_open_at = None
            log, self._outage_logged = self._outage_logged, False
        if log:
            logger.warning("Redis is available again: quotas are shared")


breaker = CircuitBreaker()


# --- Clients ---------------------------------------------------------------------------------------

_SCHEMES: Final = {
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_DEFAULT_PORTS: Final = {"sentinel": 26379, "cluster": 6379}
_SENTINEL_PARAMETERS: Final = {"sentinel_username", "sentinel_password"}


@dataclass(frozen=True)
class Group:
    """The addresses and credentials of a Sentinel or Cluster."""

    kind: str  # sentinel, cluster
    nodes: tuple[tuple[str, int], ...]
    credentials: dict[str, Any]
    service: str = ""
    database: int = 0
    sentinel_credentials: dict[str, Any] | None = None


def is_group(url: str) -> bool:
    return url.partition("://")[0] in _SCHEMES


def parse_group(url: str) -> Group:
    """Raises ValueError, whose message is a clause that does not quote the password."""
    parts = urlsplit(url)
    kind, tls = _SCHEMES[parts.scheme]
    account, _, hosts = parts.netloc.rpartition("@")
    if "@" in account or "@" in parts.path:
        raise ValueError("there is an @ or / in its password: write @ as %40 and / as %2F")
    user, _, password = account.partition(":")
    credentials = {"username": unquote(user) or None, "password": unquote(password) or None}
    credentials = {name: value for name, value in credentials.items() if value}
    nodes = tuple(_node(one, _DEFAULT_PORTS[kind]) for one in hosts.split(","))
    parameters = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    path = [part for part in parts.path.split("/") if part]
    ssl = {"ssl": True} if tls else {}
    if kind == "cluster":
        if path or parameters:
            raise ValueError("a cluster has neither a database nor parameters")
        return Group(kind, nodes, credentials | ssl)
    if not 1 <= len(path) <= 2 or (len(path) == 2 and not re.fullmatch(r"\d+", path[1], re.ASCII)):
        raise ValueError("its path must be the service's name, and perhaps a database: /mymaster/0")
    if unknown := set(parameters) - _SENTINEL_PARAMETERS:
        raise ValueError(f"it has an unknown parameter: {', '.join(sorted(unknown))}")
    return Group(
        kind,
        nodes,
        credentials | ssl,
        service=path[0],
        database=int(path[1]) if len(path) == 2 else 0,
        sentinel_credentials={
            name.removeprefix("sentinel_"): value for name, value in parameters.items()
        }
        | ssl,
    )


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("it must name a host before each comma and after the last")
    return parts.hostname, parts.port or port


@cache
def client() -> Redis:
    """The client of this process. Call it through `breaker.call`."""
    return connect(settings.REDIS_URL, **settings.REDIS_CLIENT_OPTIONS)


def connect(url: str, **options: Any) -> Redis:
    """A client of the server or the group at `url`. Connects at the first command."""
    if not is_group(url):
        return Redis.from_url(url, **options)
    group = parse_group(url)
    if group.kind == "cluster":
        nodes = [ClusterNode(*node) for node in group.nodes]  # type: ignore[no-untyped-call]
        # RedisCluster connects when it is made; as a lazy object it is made inside `breaker.call`.
        make = SimpleLazyObject(
            lambda: RedisCluster(startup_nodes=nodes, **group.credentials, **options)
        )
        return cast("Redis", make)
    # Sentinels are asked one after the other.
    limits = {
        name: options[name] / len(group.nodes)
        for name in ("socket_timeout", "socket_connect_timeout")
        if name in options
    }
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        group.nodes,
        sentinel_kwargs={**options, **limits, **(group.sentinel_credentials or {})},
        **group.credentials,
        **options,
    )
    found = sentinel.master_for(group.service, db=group.database)  # type: ignore[no-untyped-call]
    return cast("Redis", found)


# --- Cache -----------------------------------------------------------------------------------------


class _SharedClient(django_cache.RedisCacheClient):
    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        return client()


class Cache(django_cache.RedisCache):
    """Django's RedisCache on `client()`. Its own makes a client object for each command, which takes
    about as long as the command itself."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _SharedClient  # no public name; tests/test_redis.py fails without it


class SignedSerializer:
    """Django's own serializer, with a signature: unpickling a value runs its code, so a value that was
    not written with our SECRET_KEY is never unpickled. It reads as None, like a missing one."""

    _SIZE: Final = hashlib.sha256().digest_size

    def dumps(self, value: Any) -> Any:
        if type(value) is int:  # stored as a number, for incr()
            return value
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        return _signature(data) + data

    def loads(self, stored: bytes) -> Any:
        try:
            return int(stored)
        except ValueError:
            signature, data = stored[: self._SIZE], stored[self._SIZE :]
        if not hmac.compare_digest(signature, _signature(data)):
            return None
        return pickle.loads(data)  # noqa: S301 - signed by us


def _signature(data: bytes) -> bytes:
    return hmac.digest(b"kaivox.cache" + settings.SECRET_KEY.encode(), data, "sha256")
