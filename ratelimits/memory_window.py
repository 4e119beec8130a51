"""The window in one process's memory, for its threads: the script's twin, rule by rule."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ratelimits.window import DAY, MINUTE, Clock, DayUsage, Decision, Quota, clock


@dataclass(slots=True)
class _Log:
    """One subject in memory."""

    instants: deque[int] = field(default_factory=deque)  # oldest first
    day: int = -1
    day_used: int = 0
    refused: int = 0
    peak: int = 0

    def keep(self, *, admitted: int, refused: bool) -> None:
        self.day_used += admitted
        self.refused += refused
        self.peak = max(self.peak, len(self.instants))


class MemoryWindow:
    """The script's twin in one process's memory, for its threads."""

    # From this many on, subjects that have left both windows are dropped now and then.
    MANY: Final = 10_000

    def __init__(
        self,
        *,
        clock: Clock = clock,
        recall: Callable[[str, int], DayUsage | None] = lambda subject, day: None,
    ) -> None:
        """`recall` tells of a subject that is new here what it used on a day before, if anything:
        so a restart gives nobody a second quota."""
        self._clock = clock
        self._recall = recall
        self._lock = threading.Lock()
        self._logs: dict[str, _Log] = {}
        self._tidy_at = self.MANY

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
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
                log.keep(admitted=0 if wait else cost, refused=bool(wait))
            return Decision(
                quota,
                admitted=not wait,
                minute_used=len(log.instants),
                minute_reset=_minute_reset(log.instants, quota.per_minute, now),
                day_used=log.day_used if quota.per_day is not None else 0,
                wait=wait,
                now=now,
            )

    def go_on_from(self, subject: str, last: Decision) -> None:
        """Takes over from another window that decided `last`. When most of the minute's requests
        came is not known: they count as having come at that moment."""
        with self._lock:
            log = self._add(subject, last.now)
            log.instants.extend([last.now] * last.minute_used)
            if last.minute_used:
                log.instants[0] = last.minute_reset - MINUTE
            log.day, log.day_used = last.now // DAY, last.day_used

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        with self._lock:
            return {subject: _days_of(self._logs.get(subject)) for subject in subjects}

    def forget_days(self, subjects: Sequence[str], *, before: int) -> None:
        """Nothing to do: a log in memory knows its last day alone."""

    def _begin(self, subject: str, past: DayUsage | None) -> None:
        with self._lock:
            if past is not None and subject not in self._logs:
                log = self._add(subject, self._clock())
                log.day, log.day_used, log.refused, log.peak = past

    def _add(self, subject: str, now: int) -> _Log:
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
