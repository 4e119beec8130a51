"""Choices of the columns of `webhooks.models`, which exports them.

A label begins with the word that the API and the docs use, so that a person finds it in all three.
"""

from __future__ import annotations

from django.db import models


class DisabledReason(models.TextChoices):
    PAUSED = "paused", "Paused by a user"
    DELETED = "deleted"
    GONE = "gone", "Gone (it responded 410)"
    FAILING = "failing", "Failing (its deliveries failed for days)"
    KEY_REVOKED = "key_revoked", "Key revoked (its API key is revoked, expired or lacks a scope)"


class RatePeriod(models.TextChoices):
    SECOND = "second"
    MINUTE = "minute"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    IN_FLIGHT = "in_flight", "In flight"
    SUCCEEDED = "succeeded"
    EXHAUSTED = "exhausted", "Exhausted (no retry is left)"
    CANCELLED = "cancelled"


class AttemptTrigger(models.TextChoices):
    AUTO = "auto", "Automatic"
    MANUAL = "manual"
    TEST = "test"


class AttemptOutcome(models.TextChoices):
    """How an attempt ended. All but the first three are the error classes of the API."""

    IN_FLIGHT = "in_flight", "In flight"
    SUCCEEDED = "succeeded"
    HTTP_ERROR = "http_error", "HTTP error (not a 2xx)"
    TIMEOUT = "timeout", "Timeout (no response in time)"
    DNS_ERROR = "dns_error", "DNS error (name not found)"
    CONNECT_ERROR = "connect_error", "Connect error (no connection)"
    TLS_ERROR = "tls_error", "TLS error (no trusted connection)"
    BLOCKED_DESTINATION = "blocked_destination", "Blocked destination (address not allowed)"
    PROTOCOL_ERROR = "protocol_error", "Protocol error (no valid HTTP response)"
    WORKER_LOST = "worker_lost", "Worker lost (the process that sent it ended)"
