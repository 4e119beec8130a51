"""Models of members of staff, their hours, breaks, overrides, time off and calendars, and of closures.

`staff.hours` computes working windows from these rows.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import TYPE_CHECKING, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from kaivox.api.values import DAY_MINUTES
from kaivox.businesses.models import BusinessOwned, BusinessQuerySet
from kaivox.db.change_counters import count_changes
from kaivox.db.encrypted_fields import EncryptedTextField
from kaivox.db.folded_text import FoldedTextField, fold_for_search
from services.models import Service
from staff.minute_of_day import MinuteOfDayField, format_clock

if TYPE_CHECKING:
    from staff.schedules import ShownSchedule


class Weekday(models.IntegerChoices):
    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


class StaffQuerySet(BusinessQuerySet):
    def active(self) -> Self:
        """Those who can be booked."""
        return self.filter(is_active=True)

    def offering(self, service: Service | int) -> Self:
        """Those who offer `service`, a service or its id."""
        return self.filter(services=service)

    def locked(self, *, wait: bool = True) -> Self:
        """Locks the rows until the transaction ends, so that changes of one person's calendar queue.
        With `wait=False` rows that another transaction has locked are skipped.

        FOR NO KEY UPDATE, because FOR UPDATE would block every insert with a foreign key to the row.
        SQLite has no row locks; there the transactions themselves queue.
        """
        return self.select_for_update(no_key=True, of=("self",), skip_locked=not wait)


@count_changes
class StaffMember(BusinessOwned):
    """A person whose time customers book; or a thing, such as a chair or a court."""

    name = models.CharField(max_length=120)
    specialty = models.CharField(max_length=120, blank=True)
    email = models.EmailField("e-mail", blank=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Off: cannot be booked. Past appointments stay."
    )
    services = models.ManyToManyField(Service, related_name="staff", blank=True)
    search_text = FoldedTextField(of=("name", "specialty"), fold=fold_for_search)

    shown_schedule: ShownSchedule  # set by `staff.schedules.load_schedules`

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
    def for_staff(self, staff_ids: Collection[int]) -> Self:
        return self.filter(staff_id__in=staff_ids)


class WeeklyWindow(BusinessOwned):
    """Base of windows that repeat each week on one weekday."""

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
    """A window in which a member of staff works each week. Adjacent windows count as one, across
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
        """Overrides on the local days `first` to `last`, both included."""
        return self.filter(date__gte=first, date__lte=last)


class DateOverride(BusinessOwned):
    """Hours on one date that replace the hours and breaks of its weekday.

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
            return f"{self.date:%-d %b %Y}: off"
        return f"{self.date:%-d %b %Y}: {format_clock(self.start_minute)}-{format_clock(self.end_minute)}"


class TimeOffQuerySet(ScheduleQuerySet):
    def overlapping(self, start: datetime, end: datetime) -> Self:
        return self.filter(start_time__lt=end, end_time__gt=start)


class TimeOff(BusinessOwned):
    """A period in which a member of staff is away: vacation, illness, training."""

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
    EMERGENCY = "emergency", "Emergency closure"


class ClosureQuerySet(BusinessQuerySet):
    def between(self, first: date, last: date) -> Self:
        """Closures that overlap the local days `first` to `last`, both included."""
        return self.filter(first_date__lte=last, last_date__gte=first)


class Closure(BusinessOwned):
    """A period in which the business is closed: from `from_minute` of the first day until
    `until_minute` of the last; whole days by default. In local time, so that a holiday stays on its
    date when the business corrects its time zone."""

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
        return f"{self.reason} ({self.first_date:%-d %b %Y})"

    def clean(self) -> None:
        if self.first_date and self.last_date and self.last_date < self.first_date:
            raise ValidationError({"last_date": "The last day is before the first."})


class CalendarFeed(BusinessOwned):
    """A secret address of a person's calendar feed. Only the SHA-256 of its token is stored, so the
    address is shown once. Deleting the row ends the subscription."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="feeds")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)

    objects = BusinessQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("business", "staff", name="feed_staff")]

    def __str__(self) -> str:
        return f"Calendar address …{self.last_four}"


class BusyCalendarQuerySet(BusinessQuerySet):
    def due(self, now: datetime) -> Self:
        """Calendars to be read at `now`: of active staff of active businesses."""
        return self.filter(
            next_poll_at__lte=now, staff__is_active=True, business__suspended_at__isnull=True
        )


class BusyCalendar(BusinessOwned):
    """A calendar elsewhere (iCalendar) whose events block a person's time; `staff.calendar_polling`
    reads it. Its address is a secret: it is stored encrypted and shown as `shown_url`."""

    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="busy_calendars")
    name = models.CharField(max_length=120, blank=True, help_text="What it is called here.")
    ics_url = EncryptedTextField(editable=False)
    shown_url = models.CharField("address", max_length=300, editable=False)
    # Of the last response that was read, for conditional requests.
    etag = models.CharField(max_length=300, blank=True, editable=False)
    last_modified = models.CharField(max_length=100, blank=True, editable=False)
    # SHA-256 of what the busy times were computed from, and until when they are known.
    digest = models.CharField(max_length=64, blank=True, editable=False)
    covers_until = models.DateTimeField(null=True, editable=False)
    # The business's time zone then: all-day and floating events depend on it.
    computed_in = models.CharField(
        max_length=64, blank=True, default="", db_default="", editable=False
    )
    busy_count = models.PositiveIntegerField(default=0, editable=False)
    last_read_at = models.DateTimeField(null=True, editable=False)
    # Since when every attempt failed, why the last one did, and how many did.
    failing_since = models.DateTimeField(null=True, editable=False)
    problem = models.CharField(max_length=200, blank=True, editable=False)
    failure_count = models.PositiveIntegerField(default=0, editable=False)
    next_poll_at = models.DateTimeField(editable=False)

    # The longest horizon of a service of the business, if any has its own; set by `claim_due`.
    service_horizon: int | None

    objects = BusyCalendarQuerySet.as_manager()

    class Meta:
        verbose_name = "calendar of busy times"
        verbose_name_plural = "calendars of busy times"
        indexes = [
            models.Index("business", "staff", name="busy_calendar_staff"),
            # Due calendars are searched over all businesses.
            models.Index("next_poll_at", name="busy_calendar_due"),
        ]

    def __str__(self) -> str:
        return self.name or self.shown_url

    @staticmethod
    def status_of(last_read_at: datetime | None, failing_since: datetime | None) -> str:
        """`unread` before its first success; `stale` while attempts fail, when its busy times are those
        of the last success; else `current`."""
        if last_read_at is None:
            return "unread"
        return "current" if failing_since is None else "stale"


class CalendarBusyTime(BusinessOwned):
    """A period in which an event of a BusyCalendar blocks a member of staff. What the event is about is
    not stored."""

    calendar = models.ForeignKey(BusyCalendar, on_delete=models.CASCADE, related_name="busy_times")
    staff = models.ForeignKey(StaffMember, on_delete=models.CASCADE, related_name="+")
    start_time = models.DateTimeField()
    end_time = models.DateTimeField()

    objects = TimeOffQuerySet.as_manager()

    class Meta:
        indexes = [models.Index("business", "staff", "end_time", name="calendar_busy_staff")]
        constraints = [
            models.CheckConstraint(
                name="calendar_busy_range", condition=Q(start_time__lt=F("end_time"))
            )
        ]

    def __str__(self) -> str:
        return f"busy from {self.start_time:%Y-%m-%d %H:%M} UTC"
