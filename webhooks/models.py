"""Tables of webhooks: Endpoint (a receiver), Event (the outbox), Delivery (one event to one endpoint)
and Attempt (one request of a delivery)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from kaivox.businesses.models import ApiKey, Business, BusinessOwned, BusinessQuerySet
from kaivox.db.encrypted_fields import EncryptedTextField, UndecryptableValue
from webhooks.choices import AttemptOutcome as AttemptOutcome
from webhooks.choices import AttemptTrigger as AttemptTrigger
from webhooks.choices import DeliveryStatus as DeliveryStatus
from webhooks.choices import DisabledReason as DisabledReason
from webhooks.choices import RatePeriod as RatePeriod
from webhooks.event_types import ALL_EVENTS, EVENT_TYPES
from webhooks.querysets import DeliveryQuerySet, EndpointQuerySet

MAX_URL_LENGTH = 2048


def everything() -> list[str]:
    return [ALL_EVENTS]


def check_event_types(names: Any) -> None:
    """Raises ValidationError unless `names` is a list of known types, at least one."""
    if not isinstance(names, list) or not names:
        raise ValidationError("Choose at least one event type.")
    for name in names:
        if name != ALL_EVENTS and name not in EVENT_TYPES:
            raise ValidationError("There is no event type %(name)s.", params={"name": name})


# Reasons that no user chose: they are e-mailed and shown as problems.
DISABLED_AUTOMATICALLY: Final = (
    DisabledReason.GONE,
    DisabledReason.FAILING,
    DisabledReason.KEY_REVOKED,
)


MAX_RATE: Final = 600


class Endpoint(BusinessOwned):
    """A receiver of one business and the event types that it subscribes to."""

    url = models.CharField("URL", max_length=MAX_URL_LENGTH)
    description = models.CharField(max_length=200, blank=True, default="")
    event_types = models.JSONField(default=everything, validators=[check_event_types])
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(
        max_length=20, choices=DisabledReason, blank=True, default="", editable=False
    )
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Who last decided where events are sent, and so what it may receive (webhooks.authorization): a
    # key or a user; neither for endpoints of the command line and those older than this column.
    created_by_key = models.ForeignKey(
        ApiKey, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    # The row of a deleted endpoint is removed with the last row of its delivery log.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the business was e-mailed that the endpoint was disabled automatically.
    notified_at = models.DateTimeField(null=True, blank=True, editable=False)
    max_in_flight = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(16)],
        help_text="The most requests in flight at once.",
    )
    rate_limit = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(MAX_RATE)],
        help_text="The most requests per period. What is over waits. 0: no limit.",
    )
    rate_limit_period = models.CharField(
        max_length=6, choices=RatePeriod, default=RatePeriod.MINUTE, db_default=RatePeriod.MINUTE
    )
    in_order = models.BooleanField(
        "in order",
        default=False,
        db_default=False,
        help_text="Events of one object are sent one after the other, each once the one before it "
        "succeeded or has no retry left.",
    )
    # While the limit is reached and deliveries wait for it (webhooks.rate_limits).
    limited_until = models.DateTimeField(null=True, blank=True, editable=False)

    secret = EncryptedTextField(editable=False)
    # The secret before the last rotation; signs beside the new one until it expires.
    previous_secret = EncryptedTextField(null=True, blank=True, editable=False)
    previous_secret_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    # Conditions on the body, all of which must hold (webhooks.event_filters); null: no condition.
    filters = models.JSONField(null=True, blank=True)

    # JSON of the user's own headers; see webhooks.custom_headers.
    custom_headers = EncryptedTextField(null=True, blank=True, editable=False)

    # State of webhooks.circuit_breaker; `breaker_trips` counts how often in a row it opened.
    breaker_until = models.DateTimeField(null=True, blank=True, editable=False)
    breaker_trips = models.PositiveSmallIntegerField(default=0, editable=False)
    # Since its last success: the first failed request, and exhausted deliveries.
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    exhausted_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    exhausted_since = models.DateTimeField(null=True, blank=True, editable=False)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook endpoint"
        indexes = [
            models.Index(fields=["business", "is_active"], name="endpoint_business"),
            models.Index(
                fields=["limited_until"],
                condition=Q(limited_until__isnull=False),
                name="endpoint_limited",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="endpoint_off_for_a_reason",
                condition=Q(is_active=True, disabled_reason="")
                | Q(is_active=False) & ~Q(disabled_reason=""),
                violation_error_message="An endpoint that is off has a reason.",
            ),
            models.CheckConstraint(
                name="endpoint_in_flight_range",
                condition=Q(max_in_flight__gte=1, max_in_flight__lte=16),
                violation_error_message="Between 1 and 16 requests at once.",
            ),
            models.CheckConstraint(
                name="endpoint_rate_limit_known",
                condition=Q(rate_limit__lte=MAX_RATE, rate_limit_period__in=[*RatePeriod.values]),
                violation_error_message=f"At most {MAX_RATE} requests per second or minute.",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def is_disabled_automatically(self) -> bool:
        return not self.is_active and self.disabled_reason in DISABLED_AUTOMATICALLY

    @property
    def is_readable(self) -> bool:
        """Whether its secret and headers can be decrypted; if not, its deliveries wait."""
        return not isinstance(self.secret, UndecryptableValue) and not isinstance(
            self.custom_headers, UndecryptableValue
        )

    def subscribed_types(self) -> list[str]:
        """Names of the event types that it receives; of `*` those that its key may read."""
        if ALL_EVENTS not in self.event_types:
            return list(self.event_types)
        key = self.created_by_key
        kinds = EVENT_TYPES.values()
        return [kind.name for kind in kinds if key is None or key.has_scope(kind.read_scope)]

    def secrets(self, now: datetime) -> list[str]:
        """The secrets that sign at `now`, newest first; empty if the newest cannot be decrypted."""
        if isinstance(self.secret, UndecryptableValue):
            return []
        older = self.previous_secret
        expires = self.previous_secret_expires_at
        if expires is None or expires <= now or not isinstance(older, str):
            return [self.secret]
        return [self.secret, older]


class Event(BusinessOwned):
    """A change, as the frozen bytes that every receiver gets; only erasure of a person changes it."""

    uid = models.CharField("event id", max_length=40, unique=True, editable=False)
    type = models.CharField(max_length=40)
    body = models.BinaryField()
    # The id of the object in the body, to find the events of an appointment.
    object_id = models.BigIntegerField(null=True, blank=True)
    # Several reports of one change share a key, and only the first makes an event.
    dedup_key = models.CharField(max_length=200, null=True, blank=True)
    is_test = models.BooleanField(default=False)
    # Who made the request, as the audit names them; empty for tasks, commands and voice providers.
    actor_name = models.CharField(max_length=150, blank=True, default="", db_default="")
    occurred_at = models.DateTimeField()
    # W3C Trace Context of the request that made it, where tracing is on.
    traceparent = models.CharField(
        max_length=55, blank=True, default="", db_default="", editable=False
    )

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", F("occurred_at").desc(), name="event_business"),
            models.Index("business", "object_id", name="event_object"),
            # Covers the total of `GET /events`, also of one type.
            models.Index(
                fields=["business", "created_at", "id"],
                include=["type"],
                condition=Q(is_test=False),
                name="event_shown",
            ),
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

    @property
    def object_key(self) -> str:
        """The object that it is about, such as `appointment:4812`; empty if it has no id."""
        return "" if self.object_id is None else f"{self.type.partition('.')[0]}:{self.object_id}"


class Delivery(BusinessOwned):
    """One event to one endpoint: its schedule, lease and latest result."""

    # No index of their own: a delivery is written three times, each time into every index.
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    # The event's object, if the endpoint receives events in order; else empty.
    object_key = models.CharField(max_length=40, default="", db_default="", editable=False)
    # Why the next attempt is made.
    trigger = models.CharField(max_length=6, choices=AttemptTrigger, default=AttemptTrigger.AUTO)
    # When the next attempt is due; once the delivery is final, when it became so.
    next_attempt_at = models.DateTimeField()
    # The scheduled automatic retry; a manual attempt in between does not change it.
    retry_at = models.DateTimeField(null=True, blank=True)
    attempt_count = models.PositiveIntegerField("attempts", default=0)
    # Failed automatic attempts; and attempts of lost workers, which cost no retry.
    failure_count = models.PositiveSmallIntegerField(default=0)
    loss_count = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    # Of the latest finished attempt: lists show and filter by these.
    last_http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    last_error = models.CharField(max_length=20, blank=True, default="")
    # The lease: its holder may record the result until `lease_until`.
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            # Covers the totals of lists with their filters.
            models.Index(
                "business",
                F("created_at").desc(),
                F("id").desc(),
                include=["status", "endpoint"],
                name="delivery_listed",
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
            # Empty unless an endpoint receives events in order.
            models.Index(
                fields=["endpoint", "object_key", "event"],
                condition=~Q(object_key="") & Q(status__in=("pending", "in_flight")),
                name="delivery_in_turn",
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
        return f"Delivery {self.pk}"

    @property
    def status_label(self) -> str:
        """The status without what its label explains in brackets."""
        return self.get_status_display().partition(" (")[0]


class Attempt(models.Model):
    """One request. Written before it is sent, so that one cut short by a crash has a row too."""

    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    number = models.PositiveIntegerField()
    trigger = models.CharField(max_length=6, choices=AttemptTrigger)
    url = models.CharField("URL", max_length=MAX_URL_LENGTH)
    request_headers = models.JSONField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(
        max_length=20, choices=AttemptOutcome, default=AttemptOutcome.IN_FLIGHT
    )
    http_status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    error_message = models.CharField(max_length=200, blank=True, default="")
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    # Bytes: a response may hold NUL or invalid UTF-8, which no text column stores.
    response_body = models.BinaryField(default=b"")
    response_truncated = models.BooleanField(default=False)
    # How often a reused connection turned out to be closed and the request was sent again.
    reconnects = models.PositiveSmallIntegerField(default=0)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("endpoint", F("started_at").desc(), name="attempt_endpoint"),
            models.Index(
                "endpoint",
                F("started_at").desc(),
                condition=~Q(outcome__in=("in_flight", "succeeded")),
                name="attempt_failed",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_numbered_once")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of delivery {self.delivery_id}"
