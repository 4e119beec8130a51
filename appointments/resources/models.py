"""Model of resources: what a service needs beside a member of staff, or instead."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from appointments.resources.hours import check_closures, check_hours
from kaivox.businesses.models import Business, BusinessOwned, BusinessQuerySet
from kaivox.db.change_counters import count_changes
from services.models import MAX_CAPACITY, check_kind


class ResourceQuerySet(BusinessQuerySet):
    def active(self) -> Self:
        """Those that can be booked."""
        return self.filter(is_active=True)

    def of_kinds(self, kinds: Collection[str]) -> Self:
        return self.filter(kind__in=kinds)

    def locked(self, *, wait: bool = True) -> Self:
        """Locks the rows until the transaction ends, so that bookings of one resource queue. Read them
        by id: all who lock several then wait in the same order. With `wait=False` rows that another
        transaction has locked are skipped."""
        return self.select_for_update(no_key=True, of=("self",), skip_locked=not wait)


@count_changes
class Resource(BusinessOwned):
    """A studio, chair, table or machine. A service names the kinds that it requires, and each booking
    of it reserves one resource of each kind.

    It can be booked during its `hours`, or whenever the business can where it has none, and not during
    its `closures` (`appointments.resources.hours`).
    """

    # No index of its own: both indexes below begin with this column.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )

    name = models.CharField(max_length=120)
    kind = models.CharField(
        max_length=40,
        validators=[check_kind],
        help_text="What services ask for, such as chair or table: small letters, digits and _.",
    )
    capacity = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CAPACITY)],
        help_text="How many people it takes: the seats of a table.",
    )
    is_active = models.BooleanField("active", default=True, help_text="Off: cannot be booked.")
    hours = models.JSONField(
        default=list,
        blank=True,
        validators=[check_hours],
        help_text='Each week, like [{"weekday": 0, "start": "09:00", "end": "17:00"}]; '
        "0 is Monday. None: always.",
    )
    closures = models.JSONField(
        default=list,
        blank=True,
        validators=[check_closures],
        help_text='When it cannot be booked, like [{"start_time": "2026-03-02T09:00:00Z", '
        '"end_time": "2026-03-02T12:00:00Z", "reason": "Repair"}].',
    )

    objects = ResourceQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", "name", "id", name="resource_name"),
            models.Index("business", "updated_at", "id", name="resource_updated"),
        ]
        constraints = [
            models.CheckConstraint(
                name="resource_capacity",
                condition=Q(capacity__gte=1, capacity__lte=MAX_CAPACITY),
                violation_error_message=f"A resource takes 1 to {MAX_CAPACITY} people.",
            )
        ]

    def __str__(self) -> str:
        return self.name
