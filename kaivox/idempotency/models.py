"""Answers already given, by `Idempotency-Key`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import models

from kaivox.businesses.encryption import EncryptedTextField
from kaivox.businesses.models import Business

KEEP: Final = timedelta(hours=24)


class Answered(models.Model):
    """One key of one business: held while its request runs, then the answer for 24 hours."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(
        max_length=64, help_text="SHA-256 of method, path, query and body."
    )
    # Whose request holds the key; a crashed one loses it at `held_until`.
    holder = models.UUIDField()
    held_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    # JSON of data, meta and headers. As text, for jsonb would change the order of the fields and so
    # the ETag; encrypted, for it may hold a webhook's secret, which is shown once.
    answer = EncryptedTextField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "answer by Idempotency-Key"
        verbose_name_plural = "answers by Idempotency-Key"
        constraints = [
            models.UniqueConstraint(fields=["business", "key"], name="idempotency_key_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.key} ({self.status or 'running'})"

    def is_over(self, now: datetime) -> bool:
        """Whether the key is free again: its day is over, or the request that held it crashed."""
        crashed = self.status is None and self.held_until < now
        return crashed or self.created_at < now - KEEP
