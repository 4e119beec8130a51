"""The window in Redis, for any number of processes: one script, one round trip."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoScriptError

from kaivox.redis_store import Breaker, Line
from ratelimits.window import Clock, DayUsage, Decision, Quota, Taken

SCRIPT: Final = Path(__file__).with_name("window.lua").read_text(encoding="utf-8")
_SHA: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()

# The script's state: of the log, then of each day its number, admitted, refused, peak minute.
_HEADER_BYTES: Final = 32
_DAY: Final = struct.Struct(">4I")

# Cuts off the days before ARGV[1]; they come newest first.
_FORGET: Final = f"""
local state, kept = redis.call('GET', KEYS[1]) or '', {_HEADER_BYTES}
while kept < #state and struct.unpack('>I4', state, kept + 1) >= tonumber(ARGV[1]) do
  kept = kept + {_DAY.size}
end
if kept < #state then
  redis.call('SET', KEYS[1], string.sub(state, 1, kept), 'KEEPTTL')
end
"""


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
        self._line = Line(client)
        self._breaker = breaker
        self._prefix = prefix
        self._clock = clock

    def take(self, subject: str, quota: Quota, cost: int = 1) -> Decision:
        return _decision(quota, self._run(self._keys(subject), quota, cost))

    def take_if(
        self, subject: str, quota: Quota, cost: int, *, name: str, value: bytes | None, also: str
    ) -> Taken:
        """`name` and `also` are keys of Redis that share the subject's hash tag."""
        reply = self._run((*self._keys(subject), name, also), quota, cost, value or b"")
        if isinstance(reply, bytes):
            return Taken(None, reply or None, None)
        return Taken(_decision(quota, reply), value, reply[-1] or None)

    def usage(self, subjects: Sequence[str]) -> dict[str, list[DayUsage]]:
        pipeline = self._client.pipeline(transaction=False)
        for subject in subjects:
            pipeline.get(self._keys(subject)[1])
        kept = self._breaker.call(pipeline.execute)
        return {
            subject: _days_of(state or b"") for subject, state in zip(subjects, kept, strict=True)
        }

    def forget_days(self, subjects: Sequence[str], *, before: int) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for subject in subjects:
            pipeline.eval(_FORGET, 1, self._keys(subject)[1], before)
        self._breaker.call(pipeline.execute)

    def _keys(self, subject: str) -> tuple[str, str]:
        tag = f"{self._prefix}:{{{subject}}}"
        return f"{tag}:log", f"{tag}:state"

    def _run(self, keys: Sequence[str], quota: Quota, cost: int, *more: bytes) -> Any:
        now = "" if self._clock is None else self._clock()
        per_day = "" if quota.per_day is None else quota.per_day
        rest = (len(keys), *keys, quota.per_minute, per_day, cost, now, *more)
        return self._breaker.call(lambda: self._evaluate(*rest))

    def _evaluate(self, *rest: str | int | bytes) -> Any:
        try:
            return self._line.ask("EVALSHA", _SHA, *rest)
        except NoScriptError:  # Redis was restarted
            return self._line.ask("EVAL", SCRIPT, *rest)


def _decision(quota: Quota, reply: Sequence[int]) -> Decision:
    admitted, minute_used, minute_reset, day_used, wait, now = reply[:6]
    return Decision(quota, bool(admitted), minute_used, minute_reset, day_used, wait, now)


def _days_of(state: bytes) -> list[DayUsage]:
    """Oldest first."""
    return [DayUsage(*day) for day in _DAY.iter_unpack(state[_HEADER_BYTES:])][::-1]
