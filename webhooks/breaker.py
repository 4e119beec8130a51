"""May an endpoint that keeps failing be left alone for a while? Pure rules, without a clock.

The breaker opens when almost all of many recent attempts failed, and lets one through after a pause
that doubles each time that one fails too. Deliveries wait meanwhile, which costs them no attempt.
The floor of twenty attempts keeps a lone delivery exactly on its retry schedule.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

# The latest attempts that count, at most so many and so old. The bound keeps the question cheap for
# an endpoint with a thousand attempts a minute.
WINDOW: Final = timedelta(minutes=5)
SAMPLE: Final = 100

LEAST_ATTEMPTS: Final = 20
FAILURE_RATE: Final = 0.9

FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(minutes=10)

# When an endpoint is switched off for good: so many deliveries given up in a row, over so long.
EXHAUSTED_IN_A_ROW: Final = 20
EXHAUSTED_FOR: Final = timedelta(hours=72)


def opens(attempts: int, failures: int) -> bool:
    """Whether so many failures of so many recent attempts open the breaker."""
    return attempts >= LEAST_ATTEMPTS and failures >= FAILURE_RATE * attempts


def pause(trips: int) -> timedelta:
    """How long the breaker stays open when it opens the `trips`-th time in a row (from 1)."""
    doublings: int = min(trips - 1, 16)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
