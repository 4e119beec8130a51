"""Admin of members of staff, their hours, and of closures."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from kaivox.admin.base import WRITERS, BusinessOwnedAdmin, BusinessOwnedInline
from kaivox.admin.base import person as acting_person
from kaivox.admin.changelists import FoldedSearch
from kaivox.admin.columns import Tone, active_column, badge, local_date
from kaivox.admin.object_actions import ObjectAction, ObjectActionsAdmin
from kaivox.api.values import DAY_MINUTES
from staff import operations
from staff.admin_calendars import CALENDAR_ACTIONS, BusyCalendarInline
from staff.busy_calendars import remove_busy_calendar
from staff.calendar_feeds import close_feed, open_feed
from staff.minute_of_day import format_clock
from staff.models import (
    Break,
    BusyCalendar,
    CalendarFeed,
    Closure,
    DateOverride,
    StaffMember,
    TimeOff,
    Weekday,
    WorkingHours,
)


class _ScheduleInline(BusinessOwnedInline):
    delete_roles = WRITERS
    exclude = ("business",)


class WorkingHoursInline(_ScheduleInline):
    model = WorkingHours
    verbose_name = "window"
    verbose_name_plural = "working hours"
    ordering = ("weekday", "start_minute")


class BreakInline(_ScheduleInline):
    model = Break
    ordering = ("weekday", "start_minute")


class DateOverrideInline(_ScheduleInline):
    model = DateOverride
    ordering = ("date", "start_minute")
    verbose_name = "date with other hours"
    verbose_name_plural = "dates with other hours"


class TimeOffInline(_ScheduleInline):
    model = TimeOff
    ordering = ("start_time",)


class CalendarFeedInline(BusinessOwnedInline):
    """Calendar addresses; deleting one ends the subscription."""

    model = CalendarFeed
    add_roles = frozenset()
    change_roles = frozenset()
    delete_roles = WRITERS
    fields = readonly_fields = ("last_four", "created_at")
    verbose_name = "calendar address"
    verbose_name_plural = "calendar addresses"


class CopyWeekdayForm(forms.Form):
    source = forms.TypedChoiceField(
        label="Copy the hours of", choices=Weekday.choices, coerce=int, initial=Weekday.MONDAY
    )
    targets = forms.TypedMultipleChoiceField(
        label="to", choices=Weekday.choices, coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def clean_targets(self) -> list[int]:
        targets: list[int] = self.cleaned_data["targets"]
        if targets == [self.cleaned_data.get("source")]:
            raise forms.ValidationError("Choose a day other than the one that is copied.")
        return targets


def _copy_weekday(request: HttpRequest, person: StaffMember, values: dict[str, Any]) -> str:
    source, targets = values["source"], values["targets"]
    operations.copy_weekday(staff=person, source=source, targets=targets)
    days = ", ".join(Weekday(day).label for day in targets if day != source)
    return f"{days}: now the hours of {Weekday(source).label}."


@admin.register(StaffMember)
class StaffMemberAdmin(FoldedSearch, ObjectActionsAdmin):
    list_display = ("state", "name", "business", "specialty")
    list_select_related = ("business",)
    list_filter = ("business", "is_active")
    search_fields = ("search_text", "email")
    ordering = ("name", "pk")
    show_full_result_count = False
    filter_horizontal = ("services",)
    fields = ("business", "name", "specialty", "email", "is_active", "services")
    inlines = (
        WorkingHoursInline,
        BreakInline,
        DateOverrideInline,
        TimeOffInline,
        CalendarFeedInline,
        BusyCalendarInline,
    )
    actions = ("create_calendar_address",)
    state = active_column
    object_actions = (
        ObjectAction(
            "copy-day",
            "Copy a day's hours",
            "Replaces the working hours and breaks of the chosen days.",
            _copy_weekday,
            form=CopyWeekdayForm,
            roles=WRITERS,
        ),
        *CALENDAR_ACTIONS,
    )

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Without calendars while the member of staff is being added."""
        calendars = (CalendarFeedInline, BusyCalendarInline)
        inlines = super().get_inlines(request, obj)
        return [one for one in inlines if obj is not None or one not in calendars]

    @admin.action(description="Make a calendar address (shown once)", permissions=["change"])
    def create_calendar_address(
        self, request: HttpRequest, queryset: QuerySet[StaffMember]
    ) -> None:
        """Creates a secret address for each, to which phones and calendar programs subscribe."""
        for person in self.changeable(request, queryset):
            token = open_feed(staff=person, now=timezone.now(), actor=acting_person(request))
            address = request.build_absolute_uri(f"/calendar/{token}.ics")
            self.message_user(request, f"{person}: {address} (it is not shown again)")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        person = form.instance
        with operations.schedule_change(
            business_id=person.business_id,
            staff_id=person.pk,
            is_changed=not change or not set(operations.COLUMNS).isdisjoint(form.changed_data),
        ):
            super().save_related(request, form, formsets, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.save(commit=False):
            row.business_id = form.instance.business_id
            row.save()
        for row in formset.deleted_objects:
            if isinstance(row, CalendarFeed):
                close_feed(feed=row, now=timezone.now(), actor=acting_person(request))
            elif isinstance(row, BusyCalendar):
                remove_busy_calendar(calendar=row, now=timezone.now(), actor=acting_person(request))
            else:
                row.delete()


@admin.register(Closure)
class ClosureAdmin(BusinessOwnedAdmin):
    """Holidays and emergency closures. Existing appointments stay: the list of appointments has a filter
    for those that are outside working hours."""

    delete_roles = WRITERS
    list_display = ("state", "reason", "business", "kind", "closes", "opens")
    list_select_related = ("business",)
    list_filter = ("business", "kind")
    search_fields = ("reason",)
    ordering = ("-first_date", "-pk")
    fields = (
        "business",
        "kind",
        "reason",
        "first_date",
        "from_minute",
        "last_date",
        "until_minute",
    )

    @admin.display(description="status", ordering="first_date")
    def state(self, closure: Closure) -> SafeString:
        today = timezone.localdate(timezone=closure.business.zone)
        if closure.last_date < today:
            return badge("Past", Tone.QUIET)
        if closure.first_date > today:
            return badge("Upcoming", Tone.INFO)
        return badge("Today", Tone.WARNING)

    @admin.display(description="from", ordering="first_date")
    def closes(self, closure: Closure) -> str:
        day = local_date(closure.first_date)
        is_whole = closure.from_minute == 0
        return day if is_whole else f"{day}, {format_clock(closure.from_minute)}"

    @admin.display(description="until", ordering="last_date")
    def opens(self, closure: Closure) -> str:
        day = local_date(closure.last_date)
        is_whole = closure.until_minute == DAY_MINUTES
        return day if is_whole else f"{day}, {format_clock(closure.until_minute)}"

    def save_model(self, request: HttpRequest, obj: Closure, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in self.fields if name != "business"}
        now = timezone.now()
        if change:
            saved = operations.change_closure(
                business=obj.business, closure_id=obj.pk, changes=values, now=now
            )
        else:
            saved = operations.close_business(business=obj.business, now=now, **values)
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Closure) -> None:
        with operations.closure_change(business_id=obj.business_id):
            operations.remove_closure(business=obj.business, closure_id=obj.pk, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Closure]) -> None:
        for closure in self.changeable(request, queryset):
            self.delete_model(request, closure)
