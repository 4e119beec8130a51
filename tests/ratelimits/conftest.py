"""Windows on a clock that the test sets: in memory, and in Redis where there is one."""

from __future__ import annotations

import uuid

import pytest
from django.conf import settings

from kaivox import redis_store
from kaivox.redis_store import Breaker
from ratelimits.memory_window import MemoryWindow
from ratelimits.redis_window import RedisWindow
from ratelimits.window import SECOND

# 2026-01-05T12:00:00Z
NOON = 1_767_614_400 * SECOND

KINDS = ["memory", "redis"] if settings.REDIS_URL else ["memory"]


class HandClock:
    """A clock that stands until it is set."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def make_window(kind, clock):
    if kind == "memory":
        return MemoryWindow(clock=clock)
    prefix = f"test:{uuid.uuid4().hex}"
    return RedisWindow(redis_store.client(), Breaker(), prefix=prefix, clock=clock)


@pytest.fixture
def hand_clock():
    return HandClock()


@pytest.fixture(params=KINDS)
def window(request, hand_clock):
    return make_window(request.param, hand_clock)
