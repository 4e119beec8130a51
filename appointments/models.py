"""Models of appointments, and of holds on slots that are not booked yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Self

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import localtime

from appointments.groups.models import AppointmentSeries, Visit
from appointments.no_overlap import NoOverlap
from appointments.resources.models import Resource
from appointments.waitlist.models import WaitlistEntry, party_size_limit
from customers.models import Customer
from kaivox.businesses.models import ApiKey, Business, BusinessOwned, BusinessQuerySet
from kaivox.db.change_counters import count_changes
from services.models import LONGEST_BUFFER_MINUTES, LONGEST_MINUTES, Service
from staff.models import StaffMember

# The longest range for which one appointment or hold can block a member of staff.
LONGEST_BUSY: Final = timedelta(minutes=LONGEST_MINUTES + 2 * LONGEST_BUFFER_MINUTES)


class AppointmentStatus(models.TextChoices):
    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show", "No show"


class Confirmation(models.TextChoices):
    """Whether the customer has said that they will come, at the time that it has now."""

    NONE = "none"
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    DECLINED = "declined"


# Prevents double bookings whatever the application code does, SQL typed by hand included.
NO_OVERLAP: Final = NoOverlap(
    name="appointment_no_overlap",
    key="staff",
    start="busy_start",
    end="busy_end",
    excluded_statuses=[AppointmentStatus.CANCELLED],
    shared_if="is_shared",
    shared_by=["service", "start_time"],
    violation_error_code="slot_unavailable",
    violation_error_message="This member of staff is booked at that time.",
)


_NO_IDS: Final = models.Value([], models.JSONField())


class BusyRangeQuerySet(BusinessQuerySet):
    """Rows that block a member of staff in [busy_start, busy_end)."""

    def for_staff(self, *staff_ids: int) -> Self:
        return self.filter(staff_id__in=staff_ids)

    def without_staff(self) -> Self:
        return self.filter(staff=None)

    def overlapping(
        self, start: datetime, end: datetime, *, at_least: datetime | None = None
    ) -> Self:
        """Rows whose blocked range overlaps [start, end).

        No range is longer than LONGEST_BUSY, so none that overlaps begins before `at_least`. The
        condition changes no result, but bounds the scan of the index on `busy_start`.
        """
        bound = start - LONGEST_BUSY if at_least is None else at_least
        return self.filter(busy_start__lt=end, busy_start__gt=bound, busy_end__gt=start)


class AppointmentQuerySet(BusyRangeQuerySet):
    def not_cancelled(self) -> Self:
        """Appointments that block their time: all but cancelled ones."""
        return self.exclude(status=AppointmentStatus.CANCELLED)

    def starting_between(self, start: datetime, end: datetime) -> Self:
        """Appointments that begin in [start, end)."""
        return self.filter(start_time__gte=start, start_time__lt=end)

    def reminder_due(self, now: datetime, before: timedelta) -> Self:
        """Scheduled appointments that begin within `before` from `now`, and for whose start no
        reminder has been recorded."""
        ahead = self.filter(
            status=AppointmentStatus.SCHEDULED, start_time__gt=now, start_time__lte=now + before
        )
        return ahead.exclude(reminded_start=F("start_time"))

    def with_related(self) -> Self:
        """With the rows that the API representation needs, in the same query."""
        return self.select_related("business", "customer", "service", "staff")


@count_changes
class Appointment(BusinessOwned):
    """A customer's time with a member of staff, or with resources alone: at a table.

    Price, duration and buffers are copied from the service when the appointment is booked, so a
    later change of the service does not change them. So is whether it is a class.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="appointments")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="appointments")
    # Null where the service needs no staff. So it is in `ResourceBooking` and `Hold`.
    staff = models.ForeignKey(
        StaffMember, on_delete=models.PROTECT, null=True, blank=True, related_name="appointments"
    )
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    busy_start = models.DateTimeField(editable=False)
    busy_end = models.DateTimeField(editable=False)
    duration_minutes = models.PositiveSmallIntegerField(editable=False)
    party_size = models.PositiveSmallIntegerField(default=1, db_default=1)
    # Set for a class: others with the same service, staff and start may overlap it.
    is_shared = models.BooleanField(default=False, db_default=False, editable=False)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3)
    # As `ResourceBooking` has them, so that showing an appointment needs no join.
    resource_ids = models.JSONField(default=list, db_default=_NO_IDS, editable=False)
    status = models.CharField(
        max_length=9, choices=AppointmentStatus, default=AppointmentStatus.SCHEDULED
    )
    confirmation = models.CharField(
        max_length=9,
        choices=Confirmation,
        default=Confirmation.NONE,
        db_default=Confirmation.NONE,
    )
    source = models.CharField(max_length=40, default="api")
    notes = models.TextField(max_length=5000, blank=True)
    cancellation_reason = models.CharField(max_length=500, blank=True)
    # No foreign key: `calls` is a higher layer and cannot be imported here.
    call_id = models.BigIntegerField(null=True, blank=True)
    # The start for which `appointment.reminder_due` was recorded; a moved appointment gets another.
    reminded_start = models.DateTimeField(null=True, editable=False)
    metadata = models.JSONField(default=dict, blank=True)
    # Without indexes of their own: those below leave out the many rows without one.
    series = models.ForeignKey(
        AppointmentSeries,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="appointments",
        db_index=False,
    )
    visit = models.ForeignKey(
        Visit,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="appointments",
        db_index=False,
    )

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        indexes = [
            # Covers the totals of lists with the common filters.
            models.Index(
                "business",
                "start_time",
                "id",
                include=["status", "service", "staff"],
                name="appointment_listed",
            ),
            models.Index("business", "created_at", "id", name="appointment_created"),
            models.Index("business", "updated_at", "id", name="appointment_updated"),
            models.Index("business", "customer", "start_time", name="appointment_customer"),
            # Covers what availability reads, so that PostgreSQL needs an index-only scan.
            models.Index(
                "business",
                "staff",
                "busy_start",
                "busy_end",
                "start_time",
                name="appointment_busy",
                condition=~Q(status=AppointmentStatus.CANCELLED),
            ),
            models.Index(
                "business", "call_id", name="appointment_call", condition=Q(call_id__isnull=False)
            ),
            models.Index(
                "business",
                "series",
                "start_time",
                name="appointment_series",
                condition=Q(series__isnull=False),
            ),
            models.Index(
                "business",
                "visit",
                "start_time",
                name="appointment_visit",
                condition=Q(visit__isnull=False),
            ),
        ]
        constraints = [
            NO_OVERLAP,
            models.CheckConstraint(
                name="appointment_times",
                # An empty range overlaps nothing, so NO_OVERLAP alone would accept it.
                condition=Q(
                    start_time__lt=F("end_time"),
                    busy_start__lte=F("start_time"),
                    busy_end__gte=F("end_time"),
                ),
                violation_error_message="An appointment ends after it starts.",
            ),
            party_size_limit("appointment_party_size"),
            models.CheckConstraint(
                name="appointment_status_known", condition=Q(status__in=AppointmentStatus.values)
            ),
            models.CheckConstraint(
                name="appointment_confirmation_known",
                condition=Q(confirmation__in=Confirmation.values),
            ),
        ]

    def slot_state(self) -> tuple[object, ...]:
        """What a move is based on: another value means that it was moved, changed or cancelled."""
        return self.pk, self.start_time, self.staff_id, self.service_id, self.status

    def __str__(self) -> str:
        return f"#{self.pk}, {localtime(self.start_time):%a %-d %b %Y, %H:%M %Z}"


# As NO_OVERLAP, for resources.
NO_RESOURCE_OVERLAP: Final = NoOverlap(
    name="resource_no_overlap",
    key="resource",
    start="busy_start",
    end="busy_end",
    excluded_statuses=[AppointmentStatus.CANCELLED],
    shared_if="is_shared",
    shared_by=["service", "staff", "start_time"],
    violation_error_code="slot_unavailable",
    violation_error_message="This resource is booked at that time.",
)


class ResourceBookingQuerySet(BusyRangeQuerySet):
    def not_cancelled(self) -> Self:
        return self.exclude(status=AppointmentStatus.CANCELLED)


class ResourceBooking(BusinessOwned):
    """A resource that an appointment reserves. Its other columns are copies of the appointment's, for
    the constraint; the blocked range may differ within a visit (`visits.blocked_ranges`)."""

    # No index of its own: the index below begins with this column.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="+")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+", db_index=False)
    staff = models.ForeignKey(
        StaffMember, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    start_time = models.DateTimeField()
    busy_start = models.DateTimeField()
    busy_end = models.DateTimeField()
    is_shared = models.BooleanField()
    status = models.CharField(max_length=9, choices=AppointmentStatus)

    objects = ResourceBookingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("business", "resource", "busy_start", name="resource_booking_busy"),
        ]
        constraints = [
            NO_RESOURCE_OVERLAP,
            models.CheckConstraint(
                name="resource_booking_times",
                # An empty range overlaps nothing.
                condition=Q(busy_start__lt=F("busy_end")),
            ),
        ]

    def __str__(self) -> str:
        return f"resource {self.resource_id} for appointment {self.appointment_id}"


class HoldQuerySet(BusyRangeQuerySet):
    def live(self, now: datetime) -> Self:
        """Holds that have not ended, and so still block their time."""
        return self.filter(expires_at__gt=now)


class Hold(BusinessOwned):
    """A slot reserved for some minutes while a customer decides.

    It blocks its time until `expires_at`; an expired row blocks nothing.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, null=True, related_name="+")
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    busy_start = models.DateTimeField()
    busy_end = models.DateTimeField()
    party_size = models.PositiveSmallIntegerField(default=1, db_default=1)
    resource_ids = models.JSONField(default=list, db_default=_NO_IDS)
    expires_at = models.DateTimeField()
    # Without an index: only the open holds of one business are counted by key.
    created_by_key = models.ForeignKey(
        ApiKey,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,
    )
    # Set where the hold is an offer to someone on the waiting list.
    waitlist_entry = models.ForeignKey(
        WaitlistEntry,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

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
            ),
            party_size_limit("hold_party_size"),
        ]

    def __str__(self) -> str:
        return f"hold until {self.expires_at:%H:%M} UTC"
