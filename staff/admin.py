"""The admin's pages of people, their hours, and of closures."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from kaivox.businesses.admin_base import WRITERS, BusinessOwnedAdmin, BusinessOwnedInline
from staff import operations
from staff.clock import format_clock
from staff.feeds import open_feed
from staff.models import (
    Break,
    CalendarFeed,
    Closure,
    DateOverride,
    StaffMember,
    TimeOff,
    WorkingHours,
)


class _ScheduleInline(BusinessOwnedInline):
    delete_roles = WRITERS
    exclude = ("business",)


class WorkingHoursInline(_ScheduleInline):
    model = WorkingHours
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
    """Addresses that were given out; deleting one closes it."""

    model = CalendarFeed
    add_roles = frozenset()
    change_roles = frozenset()
    delete_roles = WRITERS
    fields = readonly_fields = ("last_four", "created_at")
    verbose_name = "calendar address"
    verbose_name_plural = "calendar addresses"


@admin.register(StaffMember)
class StaffMemberAdmin(BusinessOwnedAdmin):
    list_display = ("name", "business", "specialty", "is_active")
    list_select_related = ("business",)
    list_filter = ("business", "is_active")
    search_fields = ("name", "specialty", "email")
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
    )
    actions = ("give_out_calendar",)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Addresses are given out for those who are there already."""
        inlines = super().get_inlines(request, obj)
        return [one for one in inlines if obj is not None or one is not CalendarFeedInline]

    @admin.action(description="Make a calendar address (shown once)", permissions=["change"])
    def give_out_calendar(self, request: HttpRequest, queryset: QuerySet[StaffMember]) -> None:
        """A secret address each, for a phone or a calendar program to subscribe to."""
        for person in self.changeable(request, queryset):
            token = open_feed(staff=person)
            address = request.build_absolute_uri(f"/calendar/{token}.ics")
            self.message_user(request, f"{person}: {address} (it is not shown again)")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        person = form.instance
        with operations.schedule_change(business_id=person.business_id, staff_id=person.pk):
            super().save_related(request, form, formsets, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.save(commit=False):
            row.business_id = form.instance.business_id
            row.save()
        for row in formset.deleted_objects:
            row.delete()


@admin.register(Closure)
class ClosureAdmin(BusinessOwnedAdmin):
    """Holidays and emergency closures. Appointments that stand already stay: the list of
    appointments shows which now fall outside."""

    delete_roles = WRITERS
    list_display = ("reason", "business", "kind", "closes", "opens")
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

    @admin.display(description="from", ordering="first_date")
    def closes(self, closure: Closure) -> str:
        return f"{closure.first_date} {format_clock(closure.from_minute)}"

    @admin.display(description="until", ordering="last_date")
    def opens(self, closure: Closure) -> str:
        return f"{closure.last_date} {format_clock(closure.until_minute)}"

    def save_model(self, request: HttpRequest, obj: Closure, form: Any, change: bool) -> None:
        with operations.closure_change(business_id=obj.business_id):
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Closure) -> None:
        with operations.closure_change(business_id=obj.business_id):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Closure]) -> None:
        for closure in self.changeable(request, queryset):
            self.delete_model(request, closure)
