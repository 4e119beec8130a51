"""Stored responses, by `Idempotency-Key`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import models

from kaivox.businesses.models import Business
from kaivox.db.encrypted_fields import EncryptedTextField

RETENTION: Final = timedelta(hours=24)


class IdempotencyRecord(models.Model):
    """One key of one business: locked while its request runs, then its response for 24 hours."""

    # Without an index of its own: that of idempotency_key_once begins with it.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(
        max_length=64, help_text="SHA-256 of method, path, query and body."
    )
    # The request that holds the key; a crashed one loses it at `held_until`.
    holder = models.UUIDField()
    held_until = models.DateTimeField()
    # Of the caller; null for responses from before scopes were stored.
    scopes = models.JSONField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    # JSON of data, meta and headers. As text, because jsonb would reorder the fields and so change
    # the ETag; encrypted, because it may contain personal data.
    answer = EncryptedTextField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_answered"
        verbose_name = "idempotency record"
        constraints = [
            models.UniqueConstraint(fields=["business", "key"], name="idempotency_key_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.key} ({self.status or 'running'})"

    def is_over(self, now: datetime) -> bool:
        """Whether the key is free: its 24 hours are over, or the request that held it crashed."""
        crashed = self.status is None and self.held_until < now
        return crashed or self.created_at < now - RETENTION
