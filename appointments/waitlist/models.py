"""Models of the waiting list."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from customers.models import Customer
from kaivox.businesses.models import Business, BusinessOwned, BusinessQuerySet
from kaivox.db.change_counters import count_changes
from services.models import MAX_CAPACITY, Service
from staff.models import StaffMember


def party_size_limit(name: str) -> models.CheckConstraint:
    """The constraint `name`: a party has a size that a service can take."""
    return models.CheckConstraint(
        name=name,
        condition=Q(party_size__gte=1, party_size__lte=MAX_CAPACITY),
        violation_error_message=f"A party has 1 to {MAX_CAPACITY} people.",
    )


class WaitlistStatus(models.TextChoices):
    WAITING = "waiting"
    OFFERED = "offered"
    BOOKED = "booked"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PartOfDay(models.TextChoices):
    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"


@count_changes
class WaitlistEntry(BusinessOwned):
    """A customer who waits for a time of a service that is not free yet (`appointments.waitlist.operations`).

    `offered_…` describe the current offer, or else the last one; `hold_id` is set while the offer
    is open.
    """

    # No index of its own: those below begin with this column.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    staff = models.ForeignKey(
        StaffMember, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    date_from = models.DateField(help_text="In the business's time zone.")
    date_to = models.DateField(help_text="Included.")
    part_of_day = models.CharField(max_length=9, choices=PartOfDay, blank=True)
    party_size = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=9, choices=WaitlistStatus, default=WaitlistStatus.WAITING)
    unanswered_offers = models.PositiveSmallIntegerField(default=0, editable=False)
    # No foreign key: a hold is deleted when it is used, and ended ones a day later.
    hold_id = models.BigIntegerField(null=True, blank=True, editable=False)
    offered_start_time = models.DateTimeField(null=True, blank=True, editable=False)
    offered_staff = models.ForeignKey(
        StaffMember,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
    )
    offer_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "waitlist entries"
        indexes = [
            models.Index("business", "created_at", "id", name="waitlist_created"),
            models.Index("business", "updated_at", "id", name="waitlist_updated"),
            models.Index(
                "business",
                "unanswered_offers",
                "created_at",
                "id",
                name="waitlist_open",
                condition=Q(status__in=[WaitlistStatus.WAITING, WaitlistStatus.OFFERED]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="waitlist_dates",
                condition=Q(date_from__lte=F("date_to")),
                violation_error_message="The last day is before the first.",
            ),
            party_size_limit("waitlist_party_size"),
            models.CheckConstraint(
                name="waitlist_status_known", condition=Q(status__in=WaitlistStatus.values)
            ),
            models.UniqueConstraint(
                "business",
                "customer",
                "service",
                name="waitlist_once",
                condition=Q(status__in=[WaitlistStatus.WAITING, WaitlistStatus.OFFERED]),
                violation_error_message="This customer already waits for this service.",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}, {self.date_from:%-d %b} to {self.date_to:%-d %b %Y}"
