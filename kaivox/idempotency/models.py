"""Answers already given, by `Idempotency-Key`."""

from __future__ import annotations

from django.db import models

from kaivox.businesses.models import Business


class Answered(models.Model):
    """One key of one business: taken while its request runs, then the answer for 24 hours."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    # Whose request holds the key; a crashed one loses it at `held_until`.
    holder = models.UUIDField()
    held_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True, help_text="data, meta and the headers to send again.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["business", "key"], name="idempotency_key_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.key} ({self.status or 'running'})"
