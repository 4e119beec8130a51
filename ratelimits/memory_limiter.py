"""In-memory limiter for the threads of one process: the algorithm of limiter.lua, rule by rule."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ratelimits.limiter import DAY, MINUTE, Clock, DayUsage, Quota, RateLimitDecision, clock


@dataclass(slots=True)
class _Log:
    """State of one subject."""

    instants: deque[int] = field(default_factory=deque)  # oldest first
    day: int = -1
    day_used: int = 0
    refused: int = 0
    peak: int = 0

    def count(self, *, admitted: int, rejected: bool) -> None:
        self.day_used += admitted
        self.refused += rejected
        self.peak = max(self.peak, len(self.instants))


class MemoryLimiter:
    """`RateLimiter` in the memory of one process; thread-safe."""

    # From this many on, subjects without usage in either window are dropped now and then.
    MAX_IDLE_SUBJECTS: Final = 10_000

    def __init__(
        self,
        *,
        clock: Clock = clock,
        recall: Callable[[str, int], DayUsage | None] = lambda subject, day: None,
    ) -> None:
        """`recall` returns the stored usage of a subject that is new to this limiter, if any, so that
        a restart grants no second quota."""
        self._clock = clock
        self._recall = recall
        self._lock = threading.Lock()
        self._logs: dict[str, _Log] = {}
        self._cleanup_at = self.MAX_IDLE_SUBJECTS

    def __len__(self) -> int:
        """How many subjects are stored."""
        return len(self._logs)

    def take(self, subject: str, quota: Quota, cost: int = 1) -> RateLimitDecision:
        if quota.per_day is not None and subject not in self._logs:
            self._begin(subject, self._recall(subject, self._clock() // DAY))
        with self._lock:
            now = self._clock()
            log = self._logs.get(subject) or self._add(subject, now)
            now = self._advance(log, now)
            wait = _wait(log, quota, cost, now) if cost else 0
            if cost and not wait:
                log.instants.extend([now] * cost)
            if quota.per_day is not None:
                log.count(admitted=0 if wait else cost, rejected=bool(wait))
            return RateLimitDecision(
                quota,
                admitted=not wait,
                minute_used=len(log.instants),
                minute_reset=_minute_reset(log.instants, quota.per_minute, now),
                day_used=log.day_used if quota.per_day is not None else 0,
                wait=wait,
                now=now,
            )

    def seed_from(self, subject: str, last: RateLimitDecision) -> None:
        """Continues from `last`, a decision of another limiter. The instants of most requests of the
        minute are unknown: they count as made at that moment."""
        with self._lock:
            log = self._add(subject, last.now)
            log.instants.extend([last.now] * last.minute_used)
            if last.minute_used:
                log.instants[0] = last.minute_reset - MINUTE
            log.day, log.day_used = last.now // DAY, last.day_used

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        with self._lock:
            return {subject: _days_of(self._logs.get(subject)) for subject in subjects}

    def discard_days(self, subjects: Sequence[str], *, before: int) -> None:
        """Does nothing: only the current day is stored in memory."""

    def _begin(self, subject: str, past: DayUsage | None) -> None:
        with self._lock:
            if past is not None and subject not in self._logs:
                log = self._add(subject, self._clock())
                log.day, log.day_used, log.refused, log.peak = past

    def _add(self, subject: str, now: int) -> _Log:
        if len(self._logs) >= self._cleanup_at:
            self._logs = {name: log for name, log in self._logs.items() if not _is_past(log, now)}
            self._cleanup_at = max(self.MAX_IDLE_SUBJECTS, 2 * len(self._logs))
        log = self._logs[subject] = _Log()
        return log

    def _advance(self, log: _Log, now: int) -> int:
        """Drops what has left the windows. Returns `now`, or the last instant if the clock was set back."""
        instants = log.instants
        if instants and instants[-1] > now + MINUTE:
            instants.clear()
        elif instants:
            now = max(now, instants[-1])
        while instants and instants[0] <= now - MINUTE:
            instants.popleft()
        if now // DAY > log.day:
            log.day, log.day_used, log.refused, log.peak = now // DAY, 0, 0, 0
        return now


def _days_of(log: _Log | None) -> list[DayUsage]:
    if log is None or log.day < 0:
        return []
    return [DayUsage(log.day, log.day_used, log.refused, log.peak)]


def _wait(log: _Log, quota: Quota, cost: int, now: int) -> int:
    wait = 0
    surplus = len(log.instants) + cost - quota.per_minute
    if surplus > 0:
        # This many of the oldest must leave before `cost` more fit.
        last = log.instants[surplus - 1] if surplus <= len(log.instants) else now
        wait = last + MINUTE - now
    if quota.per_day is not None and log.day_used + cost > quota.per_day:
        wait = max(wait, (now // DAY + 1) * DAY - now)
    return wait


def _minute_reset(instants: deque[int], per_minute: int, now: int) -> int:
    if not instants:
        return now
    # After a change to a smaller plan more than one must leave before a unit is available.
    leaving = max(0, len(instants) - per_minute) if per_minute else 0
    return instants[leaving] + MINUTE


def _is_past(log: _Log, now: int) -> bool:
    idle = not log.instants or log.instants[-1] <= now - MINUTE
    return idle and (log.day_used == 0 or log.day < now // DAY)
