"""Rate limit per endpoint: at most so many requests in any second or minute.

The attempts in the log are the record of what was sent, so the limit holds over all workers. It is
checked by a claim, which has locked the endpoint. What is over the limit stays due; `limited_until`
excludes the endpoint from claims until its oldest request is as old as the period.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Min

from webhooks.models import Attempt, Endpoint, RatePeriod

_PERIODS: Final = {
    RatePeriod.SECOND.value: timedelta(seconds=1),
    RatePeriod.MINUTE.value: timedelta(minutes=1),
}


class RateAllowances:
    """How many requests each of `endpoints`, locked by the caller, may be sent at `now`."""

    def __init__(self, endpoints: Iterable[Endpoint], now: datetime) -> None:
        self._now = now
        self._sent = {
            endpoint.pk: _sent_in_period(endpoint, now)
            for endpoint in endpoints
            if endpoint.rate_limit
        }

    def limit(self, endpoint: Endpoint, wanted: int) -> int:
        """`wanted`, or as many as the limit permits."""
        sent = self._sent.get(endpoint.pk)
        return wanted if sent is None else min(wanted, endpoint.rate_limit - len(sent))

    def note_reached(self, endpoint: Endpoint, claimed: int) -> None:
        """Excludes the endpoint from claims while its limit is reached, with `claimed` more requests."""
        sent = self._sent.get(endpoint.pk)
        if sent is None or claimed < endpoint.rate_limit - len(sent):
            return
        oldest = sent[-1] if sent else self._now
        until = oldest + _PERIODS[endpoint.rate_limit_period]
        # No change of the endpoint that a client has to see: its version stays.
        Endpoint.objects.filter(pk=endpoint.pk).update(
            limited_until=until, updated_at=F("updated_at")
        )


def next_limit_end(now: datetime) -> datetime | None:
    """When the first limit ends for which deliveries wait."""
    limited = Endpoint.objects.filter(limited_until__gt=now, is_active=True)
    end: datetime | None = limited.aggregate(end=Min("limited_until"))["end"]
    return end


def _sent_in_period(endpoint: Endpoint, now: datetime) -> list[datetime]:
    """When its latest requests began, newest first; at most as many as the limit."""
    since = now - _PERIODS[endpoint.rate_limit_period]
    attempts = Attempt.objects.filter(endpoint=endpoint, started_at__gt=since)
    starts = attempts.order_by("-started_at").values_list("started_at", flat=True)
    return list(starts[: endpoint.rate_limit])
