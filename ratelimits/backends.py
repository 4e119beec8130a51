"""Limiter backend of this process: Redis if configured, with a local fallback, else memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Final

from django.conf import settings

from kaivox import redis
from kaivox.metrics import LOCAL_DECISIONS
from kaivox.redis import RedisUnavailable
from ratelimits.limiter import DayUsage, Quota, RateLimitDecision, RateLimiter
from ratelimits.memory_limiter import MemoryLimiter
from ratelimits.models import DailyUsage
from ratelimits.redis_limiter import RedisLimiter

PREFIX: Final = "quota"

_EPOCH: Final = date(1970, 1, 1)

_limiter: RateLimiter | None = None


def current_limiter() -> RateLimiter:
    """The limiter of this process, for businesses, addresses and logins."""
    global _limiter
    if _limiter is None:
        _limiter = _shared(PREFIX) if settings.REDIS_URL else MemoryLimiter(recall=_stored_usage)
    return _limiter


def reset_limiter(*, prefix: str | None = None) -> None:
    """Replaces the limiter by that of a new process; with `prefix` by an empty one, under that key
    prefix in Redis."""
    global _limiter
    if prefix is None:
        _limiter = None
    else:
        _limiter = _shared(prefix) if settings.REDIS_URL else MemoryLimiter()


def of_business(business_id: int) -> str:
    """The limiter's subject of a business."""
    return f"b{business_id}"


def of_address(block: str) -> str:
    """The limiter's subject of an address or its block."""
    return f"a{block}"


def of_login(who: str) -> str:
    """The limiter's subject of an address or user name that logs in."""
    return f"l{who}"


def date_of(day: int) -> date:
    """The date of a day number: days since 1970-01-01."""
    return _EPOCH + timedelta(days=day)


def number_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


class FallbackRateLimiter:
    """`shared`, and during its outage the same quotas in this process: fails open, within a cap.

    The local limiter starts from the last decision of `shared`, so an outage grants no second quota.
    """

    MAX_SUBJECTS: Final = 20_000

    def __init__(self, shared: RateLimiter, local: MemoryLimiter) -> None:
        self._shared = shared
        self._local = local
        self._last: dict[str, RateLimitDecision] = {}

    def take(self, subject: str, quota: Quota, cost: int = 1) -> RateLimitDecision:
        try:
            decision = self._shared.take(subject, quota, cost)
        except RedisUnavailable:
            LOCAL_DECISIONS.inc()
            last = self._last.pop(subject, None)
            if last is not None:
                self._local.seed_from(subject, last)
            return self._local.take(subject, quota, cost)
        if len(self._last) >= self.MAX_SUBJECTS:
            self._last.clear()
        self._last[subject] = decision
        return decision

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        try:
            return self._shared.usage(subjects)
        except RedisUnavailable:
            return self._local.usage(subjects)

    def discard_days(self, subjects: Sequence[str], *, before: int) -> None:
        with suppress(RedisUnavailable):
            self._shared.discard_days(subjects, before=before)


def _shared(prefix: str) -> RateLimiter:
    shared = RedisLimiter(redis.client(), redis.breaker, prefix=prefix)
    return FallbackRateLimiter(shared, local=MemoryLimiter())


def _stored_usage(subject: str, day: int) -> DayUsage | None:
    """The stored usage of that day, from which an in-memory limiter resumes after a restart."""
    row = DailyUsage.objects.filter(business=int(subject[1:]), day=date_of(day)).first()
    return row and DayUsage(day, row.admitted, row.refused, row.peak_minute)
