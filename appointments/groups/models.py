"""Models of what appointments are booked together in: series and visits."""

from __future__ import annotations

from django.db import models

from appointments.series.recurrence import Frequency
from customers.models import Customer
from kaivox.businesses.models import BusinessOwned, BusinessQuerySet


class AppointmentSeries(BusinessOwned):
    """Appointments of one customer that were booked together by a rule, such as every second Tuesday.

    The rule is what was asked for; its appointments may have been moved or cancelled since, or left
    out. `count` is the number that the rule gives.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    frequency = models.CharField(max_length=7, choices=Frequency)
    interval = models.PositiveSmallIntegerField()
    weekdays = models.JSONField(default=list, blank=True)
    count = models.PositiveSmallIntegerField()

    objects = BusinessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "appointment series"
        indexes = [models.Index("business", "created_at", "id", name="series_created")]

    def __str__(self) -> str:
        return f"series {self.pk}"


class Visit(BusinessOwned):
    """Appointments of one customer, one after the other, for several services. They were booked
    together, and are moved and cancelled together."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("business", "created_at", "id", name="visit_created")]

    def __str__(self) -> str:
        return f"visit {self.pk}"
