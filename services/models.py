"""Model of services: what can be booked, its duration, buffers and price."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from kaivox.businesses.models import Business, BusinessOwned, BusinessQuerySet
from kaivox.businesses.setting_rules import LONGEST_HORIZON_DAYS, LONGEST_NOTICE_MINUTES
from kaivox.db.change_counters import count_changes
from kaivox.db.folded_text import FoldedTextField, fold_for_search

LONGEST_MINUTES = 24 * 60
LONGEST_BUFFER_MINUTES = 8 * 60
MAX_CAPACITY = 500
MAX_KINDS = 5

check_kind = RegexValidator(r"\A[a-z0-9_]{1,40}\Z", "Use small letters, digits and _, at most 40.")


def check_kinds(value: Any) -> None:
    """A validator: different kinds of resources. Raises ValidationError."""
    if not isinstance(value, list) or len(value) > MAX_KINDS:
        raise ValidationError(f'Write a list of at most {MAX_KINDS} kinds, like ["table"].')
    for kind in value:
        check_kind(kind)
    if len({*value}) < len(value):
        raise ValidationError("Name each kind once.")


LARGEST_DAILY_CAP = 10_000
_NEEDS_KINDS = "A service that needs no staff needs at least one kind of resource."


class ServiceQuerySet(BusinessQuerySet):
    def active(self) -> Self:
        """Services that can be booked."""
        return self.filter(is_active=True)


@count_changes
class Service(BusinessOwned):
    """A treatment, class or table time that customers book.

    The buffers are time that the member of staff needs before and after it, to prepare or to clean:
    other appointments cannot overlap them, but they may be outside working hours. A service that needs
    no staff reserves resources alone.
    """

    shown_staff_ids: list[int]  # set by `ServiceSerializer.load_related`

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
    capacity = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_CAPACITY)],
        help_text="How many people one start takes: the seats of a class.",
    )
    resource_kinds = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        validators=[check_kinds],
        help_text='Kinds of resources of which it reserves one each, like ["chair"].',
    )
    needs_staff = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Off: its resources are booked without a member of staff, like a table.",
    )
    # Booking rules; null: the rule of the business, or none.
    minimum_notice_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST_NOTICE_MINUTES)],
        help_text="It can be booked until so many minutes before it begins. Empty: as set for the "
        "business.",
    )
    horizon_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_HORIZON_DAYS)],
        help_text="It can be booked so many days ahead. Empty: as set for the business.",
    )
    daily_cap = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST_DAILY_CAP)],
        help_text="Maximum appointments per day for this service, with all staff together. Empty: "
        "no limit.",
    )
    cancellation_window_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST_NOTICE_MINUTES)],
        help_text="Through the API it can be cancelled until so many minutes before it begins. "
        "Empty: at any time.",
    )
    reschedule_window_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(LONGEST_NOTICE_MINUTES)],
        help_text="Through the API it can be moved until so many minutes before it begins. "
        "Empty: at any time.",
    )
    is_active = models.BooleanField("active", default=True, help_text="Off: cannot be booked.")
    search_text = FoldedTextField(of=("name", "description"), fold=fold_for_search)

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
            models.CheckConstraint(
                name="service_capacity",
                condition=Q(capacity__gte=1, capacity__lte=MAX_CAPACITY),
                violation_error_message=f"A start takes 1 to {MAX_CAPACITY} people.",
            ),
            models.CheckConstraint(
                name="service_needs_something",
                condition=Q(needs_staff=True) | ~Q(resource_kinds=[]),
                violation_error_message=_NEEDS_KINDS,
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_class(self) -> bool:
        """Whether several appointments share a start, and the member of staff if it needs one."""
        return self.capacity > 1

    def clean(self) -> None:
        if not self.needs_staff and not self.resource_kinds:
            raise ValidationError({"resource_kinds": _NEEDS_KINDS})
        inherits_all = self.horizon_days is None and self.minimum_notice_minutes is None
        if inherits_all or self.business_id is None:
            return
        try:
            is_never_bookable = self.horizon_for(self.business) <= self.notice_for(self.business)
        except OverflowError:
            return  # no such time exists: the limits of the columns reject the number
        if is_never_bookable:
            own = "minimum_notice_minutes" if self.horizon_days is None else "horizon_days"
            message = (
                "The horizon must be longer than the minimum notice, or nothing could be booked."
            )
            raise ValidationError({own: message})

    def notice_for(self, business: Business) -> timedelta:
        """The time before which it has to be booked: its own, else that of `business`, its own."""
        own = self.minimum_notice_minutes
        return timedelta(minutes=business.minimum_notice_minutes if own is None else own)

    def horizon_for(self, business: Business) -> timedelta:
        """How far ahead it can be booked, in whole days: as `notice_for`."""
        own = self.horizon_days
        return timedelta(days=business.horizon_days if own is None else own)
