"""Rate limiter: protocol, quotas and decisions.

The minute is an exact sliding window, a log of instants: never more than the quota in *any* 60 s.
A fixed window would admit twice the quota around its edge, a token bucket too, and a sliding counter
only estimates; the log is small because quotas are. The day is the UTC day, a counter.

Both are charged in one atomic step, and only if both admit: a rejected request costs nothing. In Redis
that is one script (`redis_limiter`), on Redis' own clock; `memory_limiter` is the same algorithm for
one process. Instants are integers: microseconds since 1970.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

Clock = Callable[[], int]


class Quota(NamedTuple):
    """Requests allowed in any 60 s, and in a UTC day (None: unlimited)."""

    per_minute: int
    per_day: int | None = None


class WindowUsage(NamedTuple):
    """Usage of one window; `reset` in Unix seconds, rounded up."""

    used: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """Whether a request is admitted, and the state of both windows for the headers.

    `minute_reset` and `now` are microseconds since 1970, `wait` is a duration in microseconds.
    """

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
        return WindowUsage(
            self.minute_used, self.minute_remaining, whole_seconds(self.minute_reset)
        )

    @property
    def day(self) -> WindowUsage:
        return WindowUsage(self.day_used, self.day_remaining, whole_seconds(self.day_reset))

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the same request is admitted; 0 if it was admitted."""
        return whole_seconds(self.wait)

    def headers(self) -> dict[str, str]:
        """`X-RateLimit-*` of the window with the least remaining (tie: the longer), the pair of
        draft-ietf-httpapi-ratelimit-headers for both, and `Retry-After` if rejected."""
        minute, day = self.minute_remaining, self.day_remaining
        if day <= minute:
            limit, remaining, reset = self.quota.per_day, day, self.day_reset
        else:
            limit, remaining, reset = self.quota.per_minute, minute, self.minute_reset
        minute_seconds, day_seconds = (
            whole_seconds(self.minute_reset - self.now),
            whole_seconds(self.day_reset - self.now),
        )
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(whole_seconds(reset)),
            "RateLimit-Policy": f'"minute";q={self.quota.per_minute};w=60, '
            f'"day";q={self.quota.per_day};w=86400',
            "RateLimit": f'"minute";r={minute};t={minute_seconds}, "day";r={day};t={day_seconds}',
        }
        if not self.admitted:
            headers["Retry-After"] = str(self.retry_after)
        return headers


class DayUsage(NamedTuple):
    """Usage of one subject in one UTC day (`day`: days since 1970)."""

    day: int
    admitted: int
    refused: int
    peak_minute: int


class RateLimiter(Protocol):
    """Both windows of many subjects. A subject is a string such as `b7` or `a203.0.113.9`."""

    def take(self, subject: str, quota: Quota, cost: int = 1) -> RateLimitDecision:
        """Charges `cost` to both windows, or to none; 0 only reads."""

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        """The stored days of each subject, oldest first."""

    def discard_days(self, subjects: Sequence[str], *, before: int) -> None:
        """Deletes the usage of days before `before` (days since 1970)."""


def clock() -> int:
    """Microseconds since 1970, now."""
    return time.time_ns() // 1000


def whole_seconds(microseconds: int) -> int:
    """Whole seconds, rounded up."""
    return -(-microseconds // SECOND)
