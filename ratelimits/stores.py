"""Where does this process count? In Redis where there is one, else in its own memory."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from kaivox import redis_store
from ratelimits.window import GuardedWindow, MemoryWindow, RedisWindow, Window

PREFIX: Final = "quota"

_window: Window | None = None


def current_window() -> Window:
    """The window of this process, for businesses and addresses alike."""
    global _window
    if _window is None:
        _window = _make_window(PREFIX)
    return _window


def start_afresh(*, prefix: str) -> None:
    """Another window, under another name in Redis, in which nothing is used up yet."""
    global _window
    _window = _make_window(prefix)


def of_business(business_id: int) -> str:
    """The business as a subject of the window."""
    return f"b{business_id}"


def of_address(block: str) -> str:
    """An address, or its block, as a subject of the window."""
    return f"a{block}"


def _make_window(prefix: str) -> Window:
    if not settings.REDIS_URL:
        return MemoryWindow()
    shared = RedisWindow(redis_store.client(), redis_store.breaker, prefix=prefix)
    return GuardedWindow(shared, local=MemoryWindow())
