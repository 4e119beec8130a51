"""Who works for a business, and when? Hours, breaks, other hours on one date, time off, closures.

`staff.hours` turns these rows into open time; bookings are no business of this app.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from kaivox.businesses.models import BusinessOwned, BusinessQuerySet, ShownQuerySet, ShownRow
from services.models import Service
from staff.clock import DAY_MINUTES, MinuteOfDayField, format_clock


class Weekday(models.IntegerChoices):
    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


class StaffQuerySet(ShownQuerySet):
    def active(self) -> Self:
        """Those who can be booked."""
        return self.filter(is_active=True)

    def offering(self, service: Service | int) -> Self:
        """Those who perform `service` (or the service with that id)."""
        return self.filter(services=service)

    def with_schedule(self, *, since: datetime) -> Self:
        """With all that the API shows of one: `coming_time_off` is what ends after `since`."""
        coming = TimeOff.objects.filter(end_time__gt=since).order_by("start_time", "pk")
        return self.select_related("business").prefetch_related(
            "services",
            "working_hours",
            "breaks",
            models.Prefetch("time_off", queryset=coming, to_attr="coming_time_off"),
        )

    def locked(self, *, wait: bool = True) -> Self:
        """Two changes of one person's calendar queue here. `wait` False: without those who are
        locked by somebody else.

        FOR NO KEY UPDATE: plain FOR UPDATE would block every insert with a foreign key to the row.
        On SQLite the transaction itself is the queue.
        """
        return self.select_for_update(no_key=True, of=("self",), skip_locked=not wait)


class StaffMember(ShownRow):
    """A person (or a chair, room or court) whose time customers book."""

    name = models.CharField(max_length=120)
    specialty = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Off: keeps past appointments, takes no new ones."
    )
    services = models.ManyToManyField(Service, related_name="staff", blank=True)

    # Set by `StaffQuerySet.with_schedule`.
    coming_time_off: list[TimeOff]

    objects = StaffQuerySet.as_manager()

    class Meta:
        verbose_name = "member of staff"
        verbose_name_plural = "staff"
        indexes = [
            models.Index("business", "name", "id", name="staff_name"),
            models.Index("business", "updated_at", "id", name="staff_updated"),
        ]

    def __str__(self) -> str:
        return self.name


class ScheduleQuerySet(BusinessQuerySet):
    def of_staff(self, staff_ids: Collection[int]) -> Self:
        return self.filter(staff_id__in=staff_ids)


class WeeklyWindow(BusinessOwned):
    """Base of what repeats each week: a stretch of one weekday."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="+")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    start_minute = MinuteOfDayField("from")
    end_minute = MinuteOfDayField("to", help_text="24:00 is the end of the day.")

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        clock = f"{format_clock(self.start_minute)}-{format_clock(self.end_minute)}"
        return f"{Weekday(self.weekday).label} {clock}"


class WorkingHours(WeeklyWindow):
    """A window in which a member of staff works each week. Windows that touch are one, across
    midnight too."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="working_hours")

    class Meta:
        verbose_name_plural = "working hours"
        indexes = [models.Index("business", "staff", name="working_hours_staff")]
        constraints = [
            models.CheckConstraint(
                name="working_hours_window",
                condition=Q(
                    start_minute__lt=F("end_minute"), end_minute__lte=DAY_MINUTES, weekday__lte=6
                ),
                violation_error_message="Hours end after they start. To work past midnight, end "
                "at 24:00 and begin the next day at 00:00.",
            )
        ]


class Break(WeeklyWindow):
    """A gap in the working hours of one weekday."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="breaks")

    class Meta:
        indexes = [models.Index("business", "staff", name="break_staff")]
        constraints = [
            models.CheckConstraint(
                name="break_window",
                condition=Q(
                    start_minute__lt=F("end_minute"), end_minute__lte=DAY_MINUTES, weekday__lte=6
                ),
                violation_error_message="A break ends after it starts.",
            )
        ]


class DateOverrideQuerySet(ScheduleQuerySet):
    def between(self, first: date, last: date) -> Self:
        """Of the local days `first` to `last`, both included."""
        return self.filter(date__gte=first, date__lte=last)


class DateOverride(BusinessOwned):
    """Other hours on one date, instead of that weekday's hours and breaks.

    Several windows are several rows; one row without times means a day off.
    """

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="date_overrides")
    date = models.DateField()
    start_minute = MinuteOfDayField("from", null=True, blank=True)
    end_minute = MinuteOfDayField(
        "to", null=True, blank=True, help_text="Both empty: does not work on this date."
    )

    objects = DateOverrideQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("business", "staff", "date", name="date_override_staff")]
        constraints = [
            models.CheckConstraint(
                name="date_override_window",
                condition=Q(start_minute__isnull=True, end_minute__isnull=True)
                | Q(
                    start_minute__isnull=False,
                    end_minute__isnull=False,
                    start_minute__lt=F("end_minute"),
                    end_minute__lte=DAY_MINUTES,
                ),
                violation_error_message="Give both times, the end after the start; or neither, "
                "for a day off.",
            )
        ]

    def __str__(self) -> str:
        if self.start_minute is None or self.end_minute is None:
            return f"{self.date}: off"
        return f"{self.date}: {format_clock(self.start_minute)}-{format_clock(self.end_minute)}"


class TimeOffQuerySet(ScheduleQuerySet):
    def overlapping(self, start: datetime, end: datetime) -> Self:
        return self.filter(start_time__lt=end, end_time__gt=start)


class TimeOff(BusinessOwned):
    """A stretch in which a member of staff is away: vacation, illness, training."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="time_off")
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)

    objects = TimeOffQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "time off"
        indexes = [models.Index("business", "staff", "end_time", name="time_off_staff")]
        constraints = [
            models.CheckConstraint(
                name="time_off_range",
                condition=Q(start_time__lt=F("end_time")),
                violation_error_message="Time off ends after it starts.",
            )
        ]

    def __str__(self) -> str:
        return self.reason or "time off"


class ClosureKind(models.TextChoices):
    HOLIDAY = "holiday"
    EMERGENCY = "emergency", "emergency closure"


class ClosureQuerySet(BusinessQuerySet):
    def between(self, first: date, last: date) -> Self:
        """Those that touch the local days `first` to `last`, both included."""
        return self.filter(first_date__lte=last, last_date__gte=first)


class Closure(BusinessOwned):
    """The whole business is closed: from `from_minute` of the first day until `until_minute` of the
    last, whole days where these are not given. In local time, so that Christmas stays on its day
    when the business corrects its time zone."""

    kind = models.CharField(max_length=12, choices=ClosureKind, default=ClosureKind.HOLIDAY)
    first_date = models.DateField("first day")
    last_date = models.DateField("last day", help_text="The same day for a closure of one day.")
    from_minute = MinuteOfDayField(
        "from", default=0, help_text="On the first day; 00:00 for the whole day."
    )
    until_minute = MinuteOfDayField(
        "until", default=DAY_MINUTES, help_text="On the last day; 24:00 for the whole day."
    )
    reason = models.CharField(max_length=200)

    objects = ClosureQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("business", "last_date", name="closure_business")]
        constraints = [
            models.CheckConstraint(
                name="closure_range",
                condition=Q(from_minute__lte=DAY_MINUTES, until_minute__lte=DAY_MINUTES)
                & (
                    Q(first_date__lt=F("last_date"))
                    | Q(first_date=F("last_date"), from_minute__lt=F("until_minute"))
                ),
                violation_error_message="A closure ends after it starts.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} ({self.first_date})"

    def clean(self) -> None:
        if self.first_date and self.last_date and self.last_date < self.first_date:
            raise ValidationError({"last_date": "The last day is before the first."})


class CalendarFeed(BusinessOwned):
    """A secret address under which a person's calendar can be subscribed to. Only the SHA-256 of
    its token is kept; the address is shown once, and deleting the row closes it."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="feeds")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("business", "staff", name="feed_staff")]

    def __str__(self) -> str:
        return f"Calendar address …{self.last_four}"
