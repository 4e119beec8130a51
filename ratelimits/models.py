"""Tables of quotas: usage per business and day, and quota overrides."""

from __future__ import annotations

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from kaivox.businesses.models import Business, BusinessOwned, BusinessQuerySet


class QuotaOverride(models.Model):
    """A quota that applies instead of the plan's until a date."""

    business = models.OneToOneField(
        Business, on_delete=models.CASCADE, related_name="quota_override"
    )
    # The log of the minute has one entry per request: ten thousand take 100 kB in Redis.
    per_minute = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(10_000)]
    )
    per_day = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(100_000_000)]
    )
    ends_at = models.DateTimeField(help_text="From then on the plan's quota applies again.")
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="quota_override_is_positive", condition=Q(per_minute__gt=0, per_day__gt=0)
            )
        ]

    def __str__(self) -> str:
        return f"{self.per_minute:,} per minute, {self.per_day:,} per day"

    def is_in_force(self, now: datetime) -> bool:
        return now < self.ends_at


class DailyUsage(BusinessOwned):
    """The requests of one business in one UTC day."""

    day = models.DateField()
    admitted = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    peak_minute = models.PositiveIntegerField(default=0, help_text="The most in any 60 seconds.")
    warned_at_percent = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="80 or 100 once the contact was e-mailed."
    )

    objects = BusinessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "daily usage"
        constraints = [models.UniqueConstraint(fields=["business", "day"], name="daily_usage_once")]

    def __str__(self) -> str:
        return f"{self.business} on {self.day}: {self.admitted:,}"


class BusinessUsage(Business):
    """A business as the quota pages of the admin show it."""

    class Meta:
        proxy = True
        verbose_name = "quota"
        verbose_name_plural = "quotas"
