"""Limiters on a clock that the test sets: in memory, and in Redis if configured."""

from __future__ import annotations

import uuid

import pytest
from django.conf import settings

from kaivox import redis
from kaivox.redis import CircuitBreaker
from ratelimits.limiter import SECOND
from ratelimits.memory_limiter import MemoryLimiter
from ratelimits.redis_limiter import RedisLimiter

# 2026-01-05T12:00:00Z
NOON = 1_767_614_400 * SECOND

KINDS = ["memory", "redis"] if settings.REDIS_URL else ["memory"]


class ManualClock:
    """A clock that moves only when the test advances it."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def make_limiter(kind, clock):
    if kind == "memory":
        return MemoryLimiter(clock=clock)
    prefix = f"test:{uuid.uuid4().hex}"
    return RedisLimiter(redis.client(), CircuitBreaker(), prefix=prefix, clock=clock)


@pytest.fixture
def manual_clock():
    return ManualClock()


@pytest.fixture(params=KINDS)
def limiter(request, manual_clock):
    return make_limiter(request.param, manual_clock)
