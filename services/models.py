"""What does the business sell, how long does it take and what does it cost?"""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from kaivox.businesses.models import ShownQuerySet, ShownRow

LONGEST_MINUTES = 24 * 60
LONGEST_BUFFER_MINUTES = 8 * 60


class ServiceQuerySet(ShownQuerySet):
    def active(self) -> Self:
        """Those that can be booked."""
        return self.filter(is_active=True)


class Service(ShownRow):
    """A treatment, class or table time that customers book.

    The buffers are time that the member of staff needs before and after it (preparing, cleaning):
    they keep other appointments away, but may lie outside working hours.
    """

    name = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True)
    duration_minutes = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_MINUTES)]
    )
    buffer_before_minutes = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(LONGEST_BUFFER_MINUTES)]
    )
    buffer_after_minutes = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(LONGEST_BUFFER_MINUTES)]
    )
    price = models.DecimalField(
        max_digits=10, decimal_places=2, default=Decimal(0), validators=[MinValueValidator(0)]
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Off: it is kept, but can no longer be booked."
    )

    objects = ServiceQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", "name", "id", name="service_name"),
            models.Index("business", "updated_at", "id", name="service_updated"),
        ]
        constraints = [
            models.CheckConstraint(
                name="service_duration",
                condition=Q(duration_minutes__gte=1, duration_minutes__lte=LONGEST_MINUTES),
                violation_error_message="A service takes from one minute to 24 hours.",
            ),
            models.CheckConstraint(
                name="service_buffers",
                condition=Q(
                    buffer_before_minutes__lte=LONGEST_BUFFER_MINUTES,
                    buffer_after_minutes__lte=LONGEST_BUFFER_MINUTES,
                ),
                violation_error_message="A buffer has at most 8 hours.",
            ),
            models.CheckConstraint(
                name="service_price",
                condition=Q(price__gte=0),
                violation_error_message="A price is not negative.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
