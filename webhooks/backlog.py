"""Delivery backlog: the figures that operators monitor."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min, Q

from webhooks.models import Delivery, Endpoint


def oldest_due_seconds(now: datetime) -> float:
    """Age in seconds of the oldest due delivery that could be sent; 0 if there is none.

    Deliveries delayed by an open breaker, a rate limit or an earlier event of their object, or to an
    endpoint that is switched off, do not count.
    """
    not_delayed = Q(endpoint__breaker_until__isnull=True) | Q(endpoint__breaker_until__lte=now)
    due = Delivery.objects.due(now).filter(
        not_delayed, endpoint__is_active=True, endpoint__rate_limit=0, object_key=""
    )
    oldest = due.aggregate(oldest=Min("next_attempt_at"))["oldest"]
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def open_breakers(now: datetime) -> int:
    """How many active endpoints have an open breaker."""
    return Endpoint.objects.filter(is_active=True, breaker_until__gt=now).count()
