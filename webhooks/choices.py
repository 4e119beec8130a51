"""Choices of the columns of `webhooks.models`, which exports them.

A label begins with the word that the API and the docs use, so that a person finds it in all three.
"""

from __future__ import annotations

from django.db import models


class DisabledReason(models.TextChoices):
    PAUSED = "paused", "paused by a user"
    DELETED = "deleted"
    GONE = "gone", "gone (it responded 410)"
    FAILING = "failing", "failing (its deliveries failed for days)"
    KEY_REVOKED = "key_revoked", "key revoked (its API key is revoked, expired or lacks a scope)"


class RatePeriod(models.TextChoices):
    SECOND = "second"
    MINUTE = "minute"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", "pending"
    IN_FLIGHT = "in_flight", "in flight"
    SUCCEEDED = "succeeded"
    EXHAUSTED = "exhausted", "exhausted (no retry is left)"
    CANCELLED = "cancelled"


class AttemptTrigger(models.TextChoices):
    AUTO = "auto", "automatic"
    MANUAL = "manual"
    TEST = "test"


class AttemptOutcome(models.TextChoices):
    """How an attempt ended. All but the first three are the error classes of the API."""

    IN_FLIGHT = "in_flight", "in flight"
    SUCCEEDED = "succeeded"
    HTTP_ERROR = "http_error", "HTTP error (not a 2xx)"
    TIMEOUT = "timeout", "timeout (no response in time)"
    DNS_ERROR = "dns_error", "DNS error (name not found)"
    CONNECT_ERROR = "connect_error", "connect error (no connection)"
    TLS_ERROR = "tls_error", "TLS error (no trusted connection)"
    BLOCKED_DESTINATION = "blocked_destination", "blocked destination (address not allowed)"
    PROTOCOL_ERROR = "protocol_error", "protocol error (no valid HTTP response)"
    WORKER_LOST = "worker_lost", "worker lost (the process that sent it ended)"
