"""Where does this process count? In Redis where there is one, else in its own memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from typing import Final

from django.conf import settings

from kaivox import redis_store
from kaivox.redis_store import StoreAway
from ratelimits.memory_window import MemoryWindow
from ratelimits.models import DailyUsage
from ratelimits.redis_window import RedisWindow
from ratelimits.window import DayUsage, Decision, Quota, SharedWindow, Taken, Window

PREFIX: Final = "quota"

_EPOCH: Final = date(1970, 1, 1)

_window: Window | None = None


def current_window() -> Window:
    """The window of this process, for businesses and addresses alike."""
    global _window
    if _window is None:
        _window = _shared(PREFIX) if settings.REDIS_URL else MemoryWindow(recall=_written_down)
    return _window


def start_afresh(*, prefix: str) -> None:
    """Another window, under another name in Redis, in which nothing is used up yet."""
    global _window
    _window = _shared(prefix) if settings.REDIS_URL else MemoryWindow()


def of_business(business_id: int) -> str:
    """The business as a subject of the window."""
    return f"b{business_id}"


def of_address(block: str) -> str:
    """An address, or its block, as a subject of the window."""
    return f"a{block}"


def date_of(day: int) -> date:
    """The date of a day as the windows number them: since 1970."""
    return _EPOCH + timedelta(days=day)


def number_of(day: date) -> int:
    return (day - _EPOCH).days


class GuardedWindow:
    """`shared`, and while it is away the same quotas in this process: fails open, within a cap.

    The cap goes on from what `shared` last told, so an outage gives nobody a second quota.
    """

    MANY: Final = 20_000

    def __init__(self, shared: SharedWindow, local: MemoryWindow) -> None:
        self._shared = shared
        self._local = local
        self._last: dict[str, Decision] = {}

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
        try:
            decision = self._shared.take(subject, quota, cost)
        except StoreAway:
            last = self._last.pop(subject, None)
            if last is not None:
                self._local.go_on_from(subject, last)
            return self._local.take(subject, quota, cost)
        self._note(subject, decision)
        return decision

    def take_if(
        self, subject: str, quota: Quota, cost: int, *, name: str, value: bytes | None, also: str
    ) -> Taken:
        """Raises StoreAway: what stands at `name` is known to the shared window alone."""
        taken = self._shared.take_if(subject, quota, cost, name=name, value=value, also=also)
        if taken.decision is not None:
            self._note(subject, taken.decision)
        return taken

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        try:
            return self._shared.usage(subjects)
        except StoreAway:
            return self._local.usage(subjects)

    def forget_days(self, subjects: Sequence[str], *, before: int) -> None:
        with suppress(StoreAway):
            self._shared.forget_days(subjects, before=before)

    def _note(self, subject: str, decision: Decision) -> None:
        if len(self._last) >= self.MANY:
            self._last.clear()
        self._last[subject] = decision


def _shared(prefix: str) -> Window:
    shared = RedisWindow(redis_store.client(), redis_store.breaker, prefix=prefix)
    return GuardedWindow(shared, local=MemoryWindow())


def _written_down(subject: str, day: int) -> DayUsage | None:
    """Where a process that counts in memory goes on from after a restart."""
    row = DailyUsage.objects.filter(business=int(subject[1:]), day=date_of(day)).first()
    return row and DayUsage(day, row.admitted, row.refused, row.peak_minute)
