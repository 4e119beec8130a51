"""The demo's API usage and webhook deliveries of the last weeks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Min

from kaivox.businesses.models import Business
from kaivox.demo.appointments import chance_of
from kaivox.demo.catalogue import DemoBusiness
from kaivox.request_log.models import RequestLogEntry
from ratelimits.models import DailyUsage
from ratelimits.throttling import quota_of
from webhooks.models import (
    Attempt,
    AttemptOutcome,
    AttemptTrigger,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Event,
)
from webhooks.signing import new_secret

USAGE_DAYS: Final = 30
FAILING_DAYS: Final = 6
REQUEST_LOG_ENTRIES: Final = 120
REQUEST_LOG_DAYS: Final = 6
# Method, path, status and error code of a request, and how often it occurs.
_REQUESTS: Final = (
    (("GET", "/api/v1/appointments/slots", 200, ""), 30),
    (("GET", "/api/v1/customers", 200, ""), 25),
    (("POST", "/api/v1/appointments", 201, ""), 20),
    (("GET", "/api/v1/appointments", 200, ""), 20),
    (("GET", "/api/v1/calls", 200, ""), 10),
    (("POST", "/api/v1/appointments", 409, "slot_unavailable"), 4),
    (("POST", "/api/v1/customers", 422, "validation_error"), 3),
    (("GET", "/api/v1/appointments", 429, "rate_limit_exceeded"), 1),
)
_RETRIES: Final = (timedelta(0), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1))
# Share of the daily quota that is used on a weekday, and the share of days with rejected requests.
_USED: Final = (0.05, 0.35)
_REJECTING_DAYS: Final = 0.1
# Failed attempts before a delivery succeeds: none of most; 4 of 4 exhaust it.
_FAILED_ATTEMPTS: Final = (0,) * 24 + (1,) * 4 + (2, 4)


def seed_usage(demo: DemoBusiness, business: Business, *, now: datetime) -> None:
    """Daily usage of the days before today; today's belongs to the limiter."""
    per_day = quota_of(business, now).per_day or 100_000
    rows = []
    for offset in range(1, USAGE_DAYS):
        day = now.date() - timedelta(days=offset)
        chance = chance_of(demo, "usage", day)
        share = chance.uniform(*_USED) * (0.4 if day.weekday() >= 5 else 1)
        is_rejecting = chance.random() < _REJECTING_DAYS
        rows.append(
            DailyUsage(
                business=business,
                day=day,
                admitted=int(per_day * share),
                refused=chance.randint(5, 120) if is_rejecting else 0,
                peak_minute=chance.randint(5, 30),
            )
        )
    DailyUsage.objects.bulk_create(rows)


def seed_request_log(demo: DemoBusiness, business: Business, *, now: datetime) -> None:
    """A sample of the API requests of the last days, a few of them rejected."""
    chance = chance_of(demo, "requests", now.date())
    entries = []
    for _ in range(REQUEST_LOG_ENTRIES):
        method, path, status, error_code = chance.choices(
            [request for request, _ in _REQUESTS], [weight for _, weight in _REQUESTS]
        )[0]
        at = now - timedelta(seconds=chance.randint(300, REQUEST_LOG_DAYS * 24 * 3600))
        entries.append(
            RequestLogEntry(
                business=business,
                at=at,
                user_name="demo",
                method=method,
                path=path,
                path_template=path,
                status=status,
                error_code=error_code,
                duration_ms=chance.randint(6, 45),
                address="203.0.113.7",
                request_id=f"demo-{chance.getrandbits(64):016x}",
            )
        )
    RequestLogEntry.objects.bulk_create(sorted(entries, key=lambda entry: entry.at))


def seed_deliveries(demo: DemoBusiness, business: Business, *, now: datetime) -> None:
    """The logs of an endpoint that received the events so far, and of one whose receiver has failed for
    FAILING_DAYS. Both are off: nothing is sent."""
    working = _endpoint(
        business,
        url=f"https://hooks.{demo.slug}.example/kaivox",
        description="Demo of the delivery log; paused, so nothing is sent",
        reason=DisabledReason.PAUSED,
        now=now,
    )
    failing_since = now - timedelta(days=FAILING_DAYS)
    failing = _endpoint(
        business,
        url=f"https://crm.{demo.slug}.example/webhooks/calls",
        description="Demo of a failing receiver",
        reason=DisabledReason.FAILING,
        now=now,
    )
    events = Event.objects.for_business(business).filter(
        type__startswith="call.", occurred_at__lt=now - sum(_RETRIES, timedelta(minutes=5))
    )
    for event in events.order_by("occurred_at", "pk"):
        failed = chance_of(demo, "delivery", event.object_id).choice(_FAILED_ATTEMPTS)
        _deliver(working, event, failed)
        _deliver(failing, event, len(_RETRIES) if event.occurred_at >= failing_since else 0)
    _record_failures(failing, now)


def _endpoint(
    business: Business, *, url: str, description: str, reason: DisabledReason, now: datetime
) -> Endpoint:
    return Endpoint.objects.create(
        business=business,
        url=url,
        description=description,
        is_active=False,
        disabled_reason=reason,
        disabled_at=now,
        secret=new_secret(),
    )


def _record_failures(endpoint: Endpoint, now: datetime) -> None:
    """Sets what is recorded on an endpoint whose deliveries fail; its e-mail counts as sent."""
    exhausted = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.EXHAUSTED)
    first = exhausted.aggregate(first=Min("created_at"))["first"]
    Endpoint.objects.filter(pk=endpoint.pk).update(
        failing_since=first,
        exhausted_since=first,
        exhausted_in_a_row=exhausted.count(),
        notified_at=now,
    )


def _deliver(endpoint: Endpoint, event: Event, failed: int) -> None:
    """A delivery whose first `failed` attempts got 503; 4 exhaust it."""
    exhausted = failed == len(_RETRIES)
    started = [
        event.occurred_at + sum(_RETRIES[: number + 1], timedelta(seconds=1))
        for number in range(failed if exhausted else failed + 1)
    ]
    ended_at = started[-1] + timedelta(milliseconds=180)
    delivery = Delivery.objects.create(
        business=endpoint.business,
        event=event,
        endpoint=endpoint,
        status=DeliveryStatus.EXHAUSTED if exhausted else DeliveryStatus.SUCCEEDED,
        next_attempt_at=ended_at,
        attempt_count=len(started),
        failure_count=failed,
        delivered_at=None if exhausted else ended_at,
        last_http_status=503 if exhausted else 200,
        last_error=AttemptOutcome.HTTP_ERROR if exhausted else "",
    )
    Delivery.objects.filter(pk=delivery.pk).update(
        created_at=event.occurred_at, updated_at=ended_at
    )
    Attempt.objects.bulk_create(
        Attempt(
            business=endpoint.business,
            endpoint=endpoint,
            delivery=delivery,
            number=number,
            trigger=AttemptTrigger.AUTO,
            url=endpoint.url,
            request_headers={
                "Content-Type": "application/json",
                "User-Agent": "KaiVox-Webhooks/1.0",
                "X-KaiVox-Event": event.type,
                "X-KaiVox-Attempt": str(number),
            },
            started_at=at,
            finished_at=at + timedelta(milliseconds=180),
            outcome=AttemptOutcome.HTTP_ERROR if number <= failed else AttemptOutcome.SUCCEEDED,
            http_status=503 if number <= failed else 200,
            duration_ms=180,
            response_body=b"Service Unavailable" if number <= failed else b"ok",
        )
        for number, at in enumerate(started, start=1)
    )
