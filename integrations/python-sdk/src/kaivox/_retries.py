"""Which requests are repeated, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import httpx

from kaivox._errors import (
    APIConnectionError,
    APITimeoutError,
    KaiVoxError,
    error_of,
    retry_after_of,
)
from kaivox._generated.errors import BY_CODE

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
_TEMPORARY: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """At most `max_retries` repetitions, and none for which the server asks to wait longer than
    `max_wait_seconds`: a day's quota that is used up is an error, not a sleep of hours."""

    max_retries: int
    max_wait_seconds: float

    def pause(
        self, retries: int, outcome: httpx.Response | httpx.RequestError, *, repeatable: bool
    ) -> float | None:
        """Seconds until the next try after `retries` of them; None: `outcome` is final.

        `repeatable`: a second execution changes nothing, as for GET or with an idempotency key.
        """
        if retries >= self.max_retries:
            return None
        backoff = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**retries)
        backoff *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients, guards nothing
        if isinstance(outcome, httpx.RequestError):
            return backoff if repeatable or not may_have_run(outcome) else None
        wait = retry_after_of(outcome)
        if outcome.status_code == 409:  # idempotency_in_progress
            return wait if wait is not None and wait <= self.max_wait_seconds else None
        if outcome.status_code not in _TEMPORARY and not (
            outcome.status_code == 500 and repeatable
        ):
            return None
        if may_have_run(outcome) and not repeatable:
            return None
        if wait is None:
            return backoff
        return wait if wait <= self.max_wait_seconds else None


def may_have_run(outcome: httpx.Response | httpx.RequestError) -> bool:
    """Whether the server may have executed a request that failed so."""
    if isinstance(outcome, httpx.RequestError):
        # Nothing was sent where the connection was not made.
        return not isinstance(
            outcome, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        )
    # 429 and 503 are sent before anything was done; a proxy's 502 and 504 may be sent after it.
    return outcome.status_code in (500, 502, 504)


def is_not_found(response: httpx.Response) -> bool:
    """Whether it is the API's own 404, not a proxy's."""
    return isinstance(error_of(response, BY_CODE), BY_CODE["not_found"])


def final_error(outcome: httpx.Response | httpx.RequestError) -> KaiVoxError:
    """The error that is raised for an outcome."""
    if isinstance(outcome, httpx.Response):
        return error_of(outcome, BY_CODE)
    if isinstance(outcome, httpx.TimeoutException):
        return APITimeoutError("The server did not respond in time.")
    return APIConnectionError(f"The server cannot be reached: {outcome}")
