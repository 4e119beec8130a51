"""Where events go (Endpoint), what happened (Event: the outbox), what is to be sent (Delivery: one
event to one endpoint) and each request that was made for it (Attempt)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from kaivox.businesses.encryption import EncryptedTextField, Unreadable
from kaivox.businesses.models import Business, BusinessOwned, BusinessQuerySet
from webhooks.event_types import EVENT_TYPES, EVERYTHING

MAX_URL_LENGTH = 2048


def everything() -> list[str]:
    return [EVERYTHING]


def check_event_types(names: Any) -> None:
    """Raises ValidationError unless `names` is a list of known types, at least one."""
    if not isinstance(names, list) or not names:
        raise ValidationError("Choose at least one event type.")
    for name in names:
        if name != EVERYTHING and name not in EVENT_TYPES:
            raise ValidationError("There is no event type %(name)s.", params={"name": name})


class DisabledReason(models.TextChoices):
    PAUSED = "paused", "paused by hand"
    DELETED = "deleted"
    GONE = "gone", "it answered 410 Gone"
    FAILING = "failing", "its deliveries failed for days"


class EndpointQuerySet(BusinessQuerySet):
    def kept(self) -> Self:
        """Endpoints that nobody deleted."""
        return self.filter(deleted_at__isnull=True)

    def open(self, now: datetime) -> Self:
        """Endpoints that may be sent to at `now`: active, and no breaker holds them back."""
        return self.filter(
            Q(breaker_until__isnull=True) | Q(breaker_until__lte=now), is_active=True
        )


class Endpoint(BusinessOwned):
    """A receiver of one business and the event types that it subscribes to."""

    url = models.CharField("URL", max_length=MAX_URL_LENGTH)
    description = models.CharField(max_length=200, blank=True, default="")
    event_types = models.JSONField(default=everything, validators=[check_event_types])
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(
        max_length=8, choices=DisabledReason, blank=True, default="", editable=False
    )
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Deleted ones stay as long as the log of their deliveries does.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the business was told that we switched the endpoint off.
    notified_at = models.DateTimeField(null=True, blank=True, editable=False)
    max_in_flight = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(16)],
        help_text="At most so many requests at once.",
    )

    secret = EncryptedTextField(editable=False)
    # The secret before the last rotation; signs beside the new one until it expires.
    previous_secret = EncryptedTextField(null=True, blank=True, editable=False)
    previous_secret_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    # The breaker; see webhooks.breaker. `breaker_trips` counts how often in a row it opened.
    breaker_until = models.DateTimeField(null=True, blank=True, editable=False)
    breaker_trips = models.PositiveSmallIntegerField(default=0, editable=False)
    # Since its last success: when a request first failed, and what was given up.
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    exhausted_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    exhausted_since = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook endpoint"
        indexes = [models.Index(fields=["business", "is_active"], name="endpoint_business")]
        constraints = [
            models.CheckConstraint(
                name="endpoint_off_for_a_reason",
                condition=Q(is_active=True, disabled_reason="")
                | Q(is_active=False) & ~Q(disabled_reason=""),
                violation_error_message="An endpoint that is off says why.",
            ),
            models.CheckConstraint(
                name="endpoint_in_flight_range",
                condition=Q(max_in_flight__gte=1, max_in_flight__lte=16),
                violation_error_message="Between 1 and 16 requests at once.",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    def subscribes_to(self, event_type: str) -> bool:
        return EVERYTHING in self.event_types or event_type in self.event_types

    def secrets(self, now: datetime) -> list[str]:
        """The secrets that sign at `now`, newest first; none where the newest cannot be read."""
        if isinstance(self.secret, Unreadable):
            return []
        older = self.previous_secret
        expires = self.previous_secret_expires_at
        if expires is None or expires <= now or not isinstance(older, str):
            return [self.secret]
        return [self.secret, older]


class Event(BusinessOwned):
    """Something that happened, as the bytes that every receiver gets. Never changes."""

    # Without an index of its own, as each reference here that begins one of those below.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    uid = models.CharField("event id", max_length=40, unique=True, editable=False)
    type = models.CharField(max_length=40)
    body = models.BinaryField()
    # The id of the object in the body, so that staff find an appointment's events.
    object_id = models.BigIntegerField(null=True, blank=True)
    # Two reports of one change share a key and make one event.
    dedup_key = models.CharField(max_length=200, null=True, blank=True)
    is_test = models.BooleanField(default=False)
    occurred_at = models.DateTimeField()

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", F("occurred_at").desc(), name="event_business"),
            models.Index("business", "object_id", name="event_object"),
            models.Index("occurred_at", name="event_age"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["business", "dedup_key"],
                condition=Q(dedup_key__isnull=False),
                name="event_once_per_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.uid}"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", "waiting to be sent"
    IN_FLIGHT = "in_flight", "being sent"
    SUCCEEDED = "succeeded"
    EXHAUSTED = "exhausted", "given up"
    CANCELLED = "cancelled", "not to be sent"


class Trigger(models.TextChoices):
    AUTO = "auto", "automatic"
    MANUAL = "manual"
    TEST = "test"


class DeliveryQuerySet(BusinessQuerySet):
    def due(self, now: datetime) -> Self:
        return self.filter(status=DeliveryStatus.PENDING, next_attempt_at__lte=now)

    def lost(self, now: datetime) -> Self:
        """Claimed by a worker that did not come back in time."""
        return self.filter(status=DeliveryStatus.IN_FLIGHT, lease_until__lte=now)


class Delivery(BusinessOwned):
    """One event on its way to one endpoint."""

    # Written three times on its way, into each index.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    # Why the next attempt is made.
    trigger = models.CharField(max_length=6, choices=Trigger, default=Trigger.AUTO)
    # When the next attempt is due; of what is settled, when it was.
    next_attempt_at = models.DateTimeField()
    # The automatic attempt that is planned; a manual one in between leaves it as it is.
    retry_at = models.DateTimeField(null=True, blank=True)
    attempt_count = models.PositiveIntegerField("attempts", default=0)
    # Automatic attempts that failed; and attempts that a lost worker left open, which cost none.
    failure_count = models.PositiveSmallIntegerField(default=0)
    loss_count = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    # Of the latest attempt that has ended: what lists show and filter by.
    last_http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    last_error = models.CharField(max_length=20, blank=True, default="")
    # The claim: who holds the token may settle it, until then.
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                "business", F("created_at").desc(), F("id").desc(), name="delivery_business"
            ),
            models.Index(
                "endpoint", F("created_at").desc(), F("id").desc(), name="delivery_endpoint"
            ),
            models.Index(
                fields=["endpoint", "next_attempt_at", "id"],
                condition=Q(status="pending"),
                name="delivery_due",
            ),
            models.Index(
                fields=["endpoint"], condition=Q(status="in_flight"), name="delivery_in_flight"
            ),
            models.Index(
                fields=["lease_until"], condition=Q(status="in_flight"), name="delivery_lease"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once"),
            models.CheckConstraint(
                name="delivery_leased_in_flight",
                condition=Q(
                    status="in_flight", lease_token__isnull=False, lease_until__isnull=False
                )
                | ~Q(status="in_flight") & Q(lease_token__isnull=True, lease_until__isnull=True),
            ),
            models.CheckConstraint(
                name="delivery_success_has_a_time",
                condition=~Q(status="succeeded") | Q(delivered_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class Outcome(models.TextChoices):
    """How an attempt ended. All but the first three are the error classes of the API."""

    IN_FLIGHT = "in_flight", "under way"
    SUCCEEDED = "succeeded"
    HTTP_ERROR = "http_error", "not a 2xx"
    TIMEOUT = "timeout", "no answer in time"
    DNS_ERROR = "dns_error", "name not found"
    CONNECT_ERROR = "connect_error", "no connection"
    TLS_ERROR = "tls_error", "no trusted connection"
    BLOCKED_DESTINATION = "blocked_destination", "address not allowed"
    PROTOCOL_ERROR = "protocol_error", "no valid HTTP answer"
    WORKER_LOST = "worker_lost", "our worker was lost"


class Attempt(models.Model):
    """One request. Written before it leaves, so that one which a crash cuts short has a row too."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="+")
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    number = models.PositiveIntegerField()
    trigger = models.CharField(max_length=6, choices=Trigger)
    url = models.CharField("URL", max_length=MAX_URL_LENGTH)
    request_headers = models.JSONField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.IN_FLIGHT)
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    error_message = models.CharField(max_length=200, blank=True, default="")
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    # Bytes: an answer may hold NUL or broken UTF-8, which no text column takes.
    response_body = models.BinaryField(default=b"")
    response_truncated = models.BooleanField(default=False)
    # Of a kept connection that turned out to be closed: the request went out once more.
    reconnects = models.PositiveSmallIntegerField(default=0)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("endpoint", F("started_at").desc(), name="attempt_endpoint")]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_numbered_once")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of delivery {self.delivery_id}"
