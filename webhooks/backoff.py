"""When is a delivery that failed tried again? Pure arithmetic; seconds in, seconds out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

JITTER: Final = 0.2
# However long a receiver asks us to stay away.
LONGEST_RETRY_AFTER: Final = 3600.0


def seconds_until_retry(
    failures: int,
    schedule: Sequence[float],
    *,
    retry_after: float | None = None,
    chance: float | None = None,
) -> float | None:
    """The wait after the `failures`-th failure in a row, or None where no retry is left.

    `schedule` holds one wait per retry: three retries after the first attempt make four requests.
    A wait varies by ±20 %, so that deliveries which failed together do not come back together;
    `chance` in [0, 1] fixes it. `retry_after` is what a 429 or 503 asked for, taken within [the
    step, 1 h].
    """
    if failures > len(schedule):
        return None
    step = schedule[failures - 1]
    spread = random.random() if chance is None else chance  # noqa: S311 - no secret
    wait = step * (1 - JITTER + 2 * JITTER * spread)
    if retry_after is None:
        return wait
    # Not earlier than asked, and the jitter only adds to it.
    asked = min(retry_after, LONGEST_RETRY_AFTER)
    return max(wait, step, asked)


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Seconds from `now` that a Retry-After header (RFC 9110 §10.2.3) asks for; None if unreadable.

    Seconds or an HTTP date; a date in the past is 0.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
