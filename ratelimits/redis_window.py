"""The window in Redis, for any number of processes: one script, one round trip."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoScriptError

from kaivox.redis_store import Breaker
from ratelimits.window import Clock, DayUsage, Decision, Quota

SCRIPT: Final = Path(__file__).with_name("window.lua").read_text(encoding="utf-8")
_SHA: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

# Names in the script's hash after the number of the day: admitted, refused, peak minute.
_PARTS: Final = ("", ":r", ":p")


class RedisWindow:
    """In Redis, for any number of processes; in a cluster too, as both keys share a hash tag.

    `clock` is Redis' own unless one is given. Raises StoreAway when Redis does not answer.
    """

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

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        pipeline = self._client.pipeline(transaction=False)
        for subject in subjects:
            pipeline.hgetall(self._keys(subject)[1])
        kept = self._breaker.call(pipeline.execute)
        return {subject: _days(figures) for subject, figures in zip(subjects, kept, strict=True)}

    def forget_days(self, subjects: Sequence[str], *, before: int) -> None:
        old = {
            subject: [f"{day.day}{part}" for day in days if day.day < before for part in _PARTS]
            for subject, days in self.usage(subjects).items()
        }
        pipeline = self._client.pipeline(transaction=False)
        for subject, names in old.items():
            if names:
                pipeline.hdel(self._keys(subject)[1], *names)
        self._breaker.call(pipeline.execute)

    def _keys(self, subject: str) -> tuple[str, str]:
        tag = f"{self._prefix}:{{{subject}}}"
        return f"{tag}:minute", f"{tag}:days"

    def _run(self, *arguments: Any, count: int) -> list[int]:
        try:
            return self._client.evalsha(_SHA, count, *arguments)
        except NoScriptError:  # Redis was restarted
            return self._client.eval(SCRIPT, count, *arguments)


def _days(kept: Mapping[bytes, bytes]) -> list[DayUsage]:
    figures = {name.decode(): int(number) for name, number in kept.items()}
    return [
        DayUsage(day, *(figures.get(f"{day}{part}", 0) for part in _PARTS))
        for day in sorted({int(name.partition(":")[0]) for name in figures})
    ]
