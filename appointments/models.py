"""Which times are taken, by whom, for what? Appointments, and holds on times not yet booked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Self

from django.db import models
from django.db.models import F, Q

from appointments.no_overlap import NoOverlap
from customers.models import Customer
from kaivox.businesses.models import BusinessOwned, BusinessQuerySet, ShownQuerySet, ShownRow
from services.models import LONGEST_BUFFER_MINUTES, LONGEST_MINUTES, Service
from staff.models import StaffMember

LONGEST_BUSY: Final = timedelta(minutes=LONGEST_MINUTES + 2 * LONGEST_BUFFER_MINUTES)


class Status(models.TextChoices):
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


# The last word against double bookings, whatever the code above it does.
NO_OVERLAP: Final = NoOverlap(
    name="appointment_no_overlap",
    key="staff",
    start="busy_start",
    end="busy_end",
    excluded_statuses=[Status.CANCELLED],
    violation_error_code="slot_unavailable",
    violation_error_message="This member of staff is taken at that time.",
)


class BlockingQuerySet(BusinessQuerySet):
    """Of rows that block a member of staff in [busy_start, busy_end)."""

    def of_staff(self, *staff_ids: int) -> Self:
        return self.filter(staff_id__in=staff_ids)

    def overlapping(
        self, start: datetime, end: datetime, *, at_least: datetime | None = None
    ) -> Self:
        """Whose blocked range overlaps [start, end). The lower bound of its beginning follows from
        that, as none is longer than LONGEST_BUSY; it lets an index stop there."""
        bound = start - LONGEST_BUSY if at_least is None else at_least
        return self.filter(busy_start__lt=end, busy_start__gt=bound, busy_end__gt=start)


class AppointmentQuerySet(BlockingQuerySet, ShownQuerySet):  # type: ignore[override]
    def standing(self) -> Self:
        """Those that block their time: all but cancelled ones."""
        return self.exclude(status=Status.CANCELLED)

    def starting(self, start: datetime, end: datetime) -> Self:
        """That begin in [start, end)."""
        return self.filter(start_time__gte=start, start_time__lt=end)

    def with_names(self) -> Self:
        """With all that the API shows of one, in the same query."""
        return self.select_related("business", "customer", "service", "staff")


class Appointment(ShownRow):
    """A customer's time with a member of staff. What was agreed (price, duration, buffers) is kept
    here and does not change with the service."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="appointments")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="appointments")
    staff = models.ForeignKey(StaffMember, on_delete=models.PROTECT, related_name="appointments")
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    busy_start = models.DateTimeField(editable=False)
    busy_end = models.DateTimeField(editable=False)
    duration_minutes = models.PositiveSmallIntegerField(editable=False)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=9, choices=Status, default=Status.SCHEDULED)
    source = models.CharField(max_length=40, default="api")
    notes = models.TextField(max_length=5000, blank=True)
    cancellation_reason = models.CharField(max_length=500, blank=True)
    # No foreign key: calls stand above appointments and may not be imported here.
    call_id = models.BigIntegerField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", "start_time", "id", name="appointment_start"),
            models.Index("business", "created_at", "id", name="appointment_created"),
            models.Index("business", "updated_at", "id", name="appointment_updated"),
            models.Index("business", "customer", "start_time", name="appointment_customer"),
            # All that availability reads stands in the index itself.
            models.Index(
                "business",
                "staff",
                "busy_start",
                "busy_end",
                "start_time",
                name="appointment_busy",
                condition=~Q(status=Status.CANCELLED),
            ),
        ]
        constraints = [
            NO_OVERLAP,
            models.CheckConstraint(
                name="appointment_times",
                # An empty range overlaps nothing, and so would pass the constraint above.
                condition=Q(
                    start_time__lt=F("end_time"),
                    busy_start__lte=F("start_time"),
                    busy_end__gte=F("end_time"),
                ),
                violation_error_message="An appointment ends after it starts.",
            ),
            models.CheckConstraint(
                name="appointment_status_known", condition=Q(status__in=Status.values)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}, {self.start_time:%Y-%m-%d %H:%M} UTC"


class HoldQuerySet(BlockingQuerySet):
    def live(self, now: datetime) -> Self:
        """Those that still reserve their time."""
        return self.filter(expires_at__gt=now)


class Hold(BusinessOwned):
    """A time kept free for some minutes while a caller makes up their mind.

    It ends by the clock: an expired row blocks nothing, whether somebody deletes it or not.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="+")
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    busy_start = models.DateTimeField()
    busy_end = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = HoldQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", "staff", "expires_at", name="hold_staff"),
        ]
        constraints = [
            models.CheckConstraint(
                name="hold_times",
                condition=Q(
                    start_time__lt=F("end_time"),
                    busy_start__lte=F("start_time"),
                    busy_end__gte=F("end_time"),
                ),
            )
        ]

    def __str__(self) -> str:
        return f"hold until {self.expires_at:%H:%M} UTC"
