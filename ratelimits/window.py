"""May this business make one more request now, and what is left?

The minute is an exact sliding window, a log of instants: never more than the quota in *any* 60 s.
A fixed window would let twice the quota pass at its edge, a token bucket too, and a sliding counter
only estimates; the log is small because quotas are. The day is the UTC day, a counter.

Both are taken in one atomic step, and only if both admit: a refused request costs nothing. In Redis
that is one script (`window.lua`), one round trip, on Redis' own clock; `MemoryWindow` is its twin
for one process. Instants are integers: microseconds since 1970.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from redis import Redis
from redis.exceptions import NoScriptError

from kaivox.redis_store import Breaker, StoreAway

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

Clock = Callable[[], int]


class Quota(NamedTuple):
    """How many requests in any 60 s, and in a UTC day (None: no bound)."""

    per_minute: int
    per_day: int | None = None


class WindowUsage(NamedTuple):
    """One window as it stands; `reset` in Unix seconds, rounded up."""

    used: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and all that the headers tell of it."""

    quota: Quota
    admitted: bool
    minute_used: int
    minute_reset: int
    day_used: int
    wait: int
    now: int

    @property
    def minute_remaining(self) -> int:
        return max(0, self.quota.per_minute - self.minute_used)

    @property
    def day_remaining(self) -> int:
        return max(0, (self.quota.per_day or 0) - self.day_used)

    @property
    def day_reset(self) -> int:
        return (self.now // DAY + 1) * DAY

    @property
    def minute(self) -> WindowUsage:
        return WindowUsage(self.minute_used, self.minute_remaining, _seconds(self.minute_reset))

    @property
    def day(self) -> WindowUsage:
        return WindowUsage(self.day_used, self.day_remaining, _seconds(self.day_reset))

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the same request is admitted; 0 where it was."""
        return _seconds(self.wait)

    def headers(self) -> dict[str, str]:
        """`X-RateLimit-*` of the window with the least remaining (tie: the longer), the pair of
        draft-ietf-httpapi-ratelimit-headers for both, and `Retry-After` where refused."""
        minute, day = self.minute_remaining, self.day_remaining
        if day <= minute:
            limit, remaining, reset = self.quota.per_day, day, self.day_reset
        else:
            limit, remaining, reset = self.quota.per_minute, minute, self.minute_reset
        minute_in, day_in = (
            _seconds(self.minute_reset - self.now),
            _seconds(self.day_reset - self.now),
        )
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(_seconds(reset)),
            "RateLimit-Policy": f'"minute";q={self.quota.per_minute};w=60, '
            f'"day";q={self.quota.per_day};w=86400',
            "RateLimit": f'"minute";r={minute};t={minute_in}, "day";r={day};t={day_in}',
        }
        if not self.admitted:
            headers["Retry-After"] = str(self.retry_after)
        return headers


class DayUsage(NamedTuple):
    """What one subject did in one UTC day (`day`: days since 1970)."""

    day: int
    admitted: int
    refused: int
    peak_minute: int


class Window(Protocol):
    """Both windows of many subjects. A subject is a name such as `b7` or `a203.0.113.9`."""

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
        """Takes `cost` from both windows, or nothing; 0 only looks."""

    def usage(self, subject: str) -> list[DayUsage]:
        """The days that this store still knows, oldest first."""


def clock() -> int:
    """Microseconds since 1970, now."""
    return time.time_ns() // 1000


def _seconds(microseconds: int) -> int:
    """Whole seconds, rounded up."""
    return -(-microseconds // SECOND)


class RedisWindow:
    """In Redis, for any number of processes; in a cluster too, as both keys share a hash tag.

    `clock` is Redis' own unless one is given. Raises StoreAway when Redis does not answer.
    """

    SCRIPT: Final = Path(__file__).with_name("window.lua").read_text(encoding="utf-8")

    def __init__(
        self,
        client: Redis,
        breaker: Breaker,
        *,
        prefix: str = "quota",
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._prefix = prefix
        self._clock = clock

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
        keys = self._keys(subject)[: 1 if quota.per_day is None else 2]
        now = "" if self._clock is None else self._clock()
        arguments = (quota.per_minute, quota.per_day or 0, cost, now)
        reply = self._breaker.call(lambda: self._run(*keys, *arguments, count=len(keys)))
        admitted, minute_used, minute_reset, day_used, wait, instant = reply
        return Decision(quota, bool(admitted), minute_used, minute_reset, day_used, wait, instant)

    def usage(self, subject: str) -> list[DayUsage]:
        kept = self._breaker.call(lambda: self._client.hgetall(self._keys(subject)[1]))
        figures = {name.decode(): int(number) for name, number in kept.items()}
        days = sorted({int(name.partition(":")[0]) for name in figures})
        return [
            DayUsage(
                day,
                figures.get(f"{day}", 0),
                figures.get(f"{day}:r", 0),
                figures.get(f"{day}:p", 0),
            )
            for day in days
        ]

    def _keys(self, subject: str) -> tuple[str, str]:
        tag = f"{self._prefix}:{{{subject}}}"
        return f"{tag}:minute", f"{tag}:days"

    def _run(self, *arguments: Any, count: int) -> list[int]:
        try:
            return self._client.evalsha(self._sha, count, *arguments)  # type: ignore[no-any-return]
        except NoScriptError:  # Redis was restarted
            return self._client.eval(self.SCRIPT, count, *arguments)  # type: ignore[no-any-return]

    @cached_property
    def _sha(self) -> str:
        return hashlib.sha1(self.SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class _Log:
    """One subject in memory."""

    instants: deque[int] = field(default_factory=deque)  # oldest first
    day: int = -1
    day_used: int = 0
    refused: int = 0
    peak: int = 0


class MemoryWindow:
    """The script's twin in one process's memory, for its threads."""

    # From this many on, subjects that have left both windows are dropped now and then.
    MANY: Final = 10_000

    def __init__(self, *, clock: Clock = clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[str, _Log] = {}
        self._tidy_at = self.MANY

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
        with self._lock:
            now = self._clock()
            log = self._logs.get(subject) or self._begin(subject, now)
            now = self._advance(log, now)
            wait = _wait(log, quota, cost, now) if cost else 0
            if wait:
                log.refused += 1
            elif cost:
                log.instants.extend([now] * cost)
                log.day_used += cost
                log.peak = max(log.peak, len(log.instants))
            return Decision(
                quota,
                admitted=not wait,
                minute_used=len(log.instants),
                minute_reset=_minute_reset(log.instants, quota.per_minute, now),
                day_used=log.day_used if quota.per_day is not None else 0,
                wait=wait,
                now=now,
            )

    def usage(self, subject: str) -> list[DayUsage]:
        with self._lock:
            log = self._logs.get(subject)
            if log is None or log.day < 0:
                return []
            return [DayUsage(log.day, log.day_used, log.refused, log.peak)]

    def _begin(self, subject: str, now: int) -> _Log:
        if len(self._logs) >= self._tidy_at:
            self._logs = {name: log for name, log in self._logs.items() if not _is_past(log, now)}
            self._tidy_at = max(self.MANY, 2 * len(self._logs))
        log = self._logs[subject] = _Log()
        return log

    def _advance(self, log: _Log, now: int) -> int:
        """Drops what left the windows; `now`, or a little later where the clock was set back."""
        instants = log.instants
        if instants and instants[-1] > now + MINUTE:
            instants.clear()
        elif instants:
            now = max(now, instants[-1])
        while instants and instants[0] <= now - MINUTE:
            instants.popleft()
        if log.day != now // DAY:
            log.day, log.day_used, log.refused, log.peak = now // DAY, 0, 0, 0
        return now


def _wait(log: _Log, quota: Quota, cost: int, now: int) -> int:
    wait = 0
    surplus = len(log.instants) + cost - quota.per_minute
    if surplus > 0:
        # So many of the oldest must leave before `cost` more fit.
        last = log.instants[surplus - 1] if surplus <= len(log.instants) else now
        wait = last + MINUTE - now
    if quota.per_day is not None and log.day_used + cost > quota.per_day:
        wait = max(wait, (now // DAY + 1) * DAY - now)
    return wait


def _minute_reset(instants: deque[int], per_minute: int, now: int) -> int:
    if not instants:
        return now
    # After a change to a smaller plan more than one must leave before a unit comes back.
    leaving = max(0, len(instants) - per_minute) if per_minute else 0
    return instants[leaving] + MINUTE


def _is_past(log: _Log, now: int) -> bool:
    idle = not log.instants or log.instants[-1] <= now - MINUTE
    return idle and (log.day_used == 0 or log.day < now // DAY)


class GuardedWindow:
    """`shared`, and while it is away the same quotas in this process: fails open, within a cap."""

    def __init__(self, shared: Window, local: Window) -> None:
        self._shared = shared
        self._local = local

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
        try:
            return self._shared.take(subject, quota, cost)
        except StoreAway:
            return self._local.take(subject, quota, cost)

    def usage(self, subject: str) -> list[DayUsage]:
        try:
            return self._shared.usage(subject)
        except StoreAway:
            return self._local.usage(subject)
