"""Limiter in Redis for any number of processes: one script, one round trip."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoScriptError

from kaivox.redis import CircuitBreaker
from ratelimits.limiter import Clock, DayUsage, Quota, RateLimitDecision

SCRIPT: Final = Path(__file__).with_name("limiter.lua").read_text(encoding="utf-8")
_SHA: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

# The script's state: a header of the log, then per day its number, admitted, rejected, peak minute.
_HEADER_BYTES: Final = 32
_DAY: Final = struct.Struct(">4I")

# Deletes the days before ARGV[1]; they are stored newest first.
_DISCARD_DAYS: Final = f"""
local state, length = redis.call('GET', KEYS[1]) or '', {_HEADER_BYTES}
while length < #state and struct.unpack('>I4', state, length + 1) >= tonumber(ARGV[1]) do
  length = length + {_DAY.size}
end
if length < #state then
  redis.call('SET', KEYS[1], string.sub(state, 1, length), 'KEEPTTL')
end
"""


class RedisLimiter:
    """`RateLimiter` in Redis; works in a cluster too, because both keys share a hash tag.

    The clock is that of Redis unless `clock` is passed. Raises RedisUnavailable.
    """

    def __init__(
        self,
        client: Redis,
        breaker: CircuitBreaker,
        *,
        prefix: str = "quota",
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._prefix = prefix
        self._clock = clock

    def take(self, subject: str, quota: Quota, cost: int = 1) -> RateLimitDecision:
        keys = self._keys(subject)
        now = "" if self._clock is None else self._clock()
        per_day = "" if quota.per_day is None else quota.per_day
        rest = (*keys, quota.per_minute, per_day, cost, now)
        reply = self._breaker.call(lambda: self._evaluate(len(keys), *rest))
        admitted, *usage = reply
        return RateLimitDecision(quota, bool(admitted), *usage)

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        def states_of() -> list[bytes | None]:
            pipeline = self._client.pipeline(transaction=False)
            for subject in subjects:
                pipeline.get(self._keys(subject)[1])
            return pipeline.execute()

        states = self._breaker.call(states_of)
        return {
            subject: _days_of(state or b"") for subject, state in zip(subjects, states, strict=True)
        }

    def discard_days(self, subjects: Sequence[str], *, before: int) -> None:
        def discard() -> None:
            pipeline = self._client.pipeline(transaction=False)
            for subject in subjects:
                key = self._keys(subject)[1]
                pipeline.execute_command("EVAL", _DISCARD_DAYS, 1, key, before)  # type: ignore[no-untyped-call]
            pipeline.execute()

        self._breaker.call(discard)

    def _keys(self, subject: str) -> tuple[str, str]:
        tag = f"{self._prefix}:{{{subject}}}"
        return f"{tag}:log", f"{tag}:state"

    def _evaluate(self, keys: int, *rest: str | int) -> Any:
        try:
            return self._client.evalsha(_SHA, keys, *rest)
        except NoScriptError:  # Redis was restarted
            return self._client.eval(SCRIPT, keys, *rest)


def _days_of(state: bytes) -> list[DayUsage]:
    """Oldest first."""
    return [DayUsage(*day) for day in _DAY.iter_unpack(state[_HEADER_BYTES:])][::-1]
