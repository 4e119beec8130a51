"""Admin of resources: hours and closures are edited in tables, like those of staff."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from appointments.resources import operations
from appointments.resources.hours import (
    MAX_CLOSURES,
    MAX_HOURS,
    MAX_REASON,
    hours_rows,
    stored_closures,
    stored_hours,
)
from appointments.resources.models import Resource
from kaivox.admin.base import BusinessOwnedAdmin, TenantModelForm
from kaivox.admin.columns import active_column, local_time
from kaivox.admin.row_fields import RowForm, RowsField
from staff.minute_of_day import ClockFormField, format_clock
from staff.models import Weekday

_LISTS: Final = {"hours": "weekly_hours", "closures": "closed"}


class HoursRow(RowForm):
    weekday = forms.TypedChoiceField(choices=[("", "---------"), *Weekday.choices], coerce=int)
    start = ClockFormField(label="from")
    end = ClockFormField(label="to", help_text="24:00 is the end of the day.")


class ClosureRow(RowForm):
    start_time = forms.SplitDateTimeField(label="from", widget=AdminSplitDateTime)
    end_time = forms.SplitDateTimeField(label="until", widget=AdminSplitDateTime)
    reason = forms.CharField(max_length=MAX_REASON, required=False)


def _hours_to_store(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return stored_hours([(row["weekday"], row["start"], row["end"]) for row in rows])


def _hours_to_show(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"weekday": weekday, "start": start, "end": end}
        for weekday, start, end in hours_rows(hours)
    ]


def _closures_to_store(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return stored_closures([(row["start_time"], row["end_time"], row["reason"]) for row in rows])


def _closures_to_show(closures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "start_time": datetime.fromisoformat(one["start_time"]),
            "end_time": datetime.fromisoformat(one["end_time"]),
            "reason": one["reason"],
        }
        for one in closures
    ]


def _lines(texts: Iterable[str]) -> SafeString:
    return format_html_join(mark_safe("<br>"), "{}", ((text,) for text in texts))


class ResourceForm(TenantModelForm):
    hours = RowsField(
        HoursRow,
        noun="window",
        to_stored=_hours_to_store,
        to_initial=_hours_to_show,
        max_rows=MAX_HOURS,
        help_text="Each week. None: whenever the business can be booked.",
    )
    closures = RowsField(
        ClosureRow,
        noun="closure",
        to_stored=_closures_to_store,
        to_initial=_closures_to_show,
        max_rows=MAX_CLOSURES,
        help_text="When it cannot be booked, such as a repair.",
    )

    class Meta:
        model = Resource
        fields = ("business", *operations.WRITABLE)


@admin.register(Resource)
class ResourceAdmin(BusinessOwnedAdmin):
    form = ResourceForm
    list_display = ("state", "name", "kind", "capacity", "business")
    list_select_related = ("business",)
    list_filter = ("business", "is_active")
    search_fields = ("name", "kind")
    ordering = ("name", "pk")
    show_full_result_count = False
    fields = ("business", *operations.WRITABLE)
    readonly_fields = tuple(_LISTS.values())
    state = active_column

    def get_fields(self, request: HttpRequest, obj: Resource | None = None) -> tuple[str, ...]:
        """Lists instead of tables for those who may not change the resource."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fields
        return tuple(_LISTS.get(name, name) for name in self.fields)

    @admin.display(description="hours")
    def weekly_hours(self, resource: Resource) -> SafeString | str:
        return (
            _lines(
                f"{Weekday(weekday).label} {format_clock(start)}–{format_clock(end)}"
                for weekday, start, end in hours_rows(resource.hours)
            )
            or "Whenever the business can be booked."
        )

    @admin.display(description="closures")
    def closed(self, resource: Resource) -> SafeString | str:
        zone = resource.business.zone
        return _lines(
            f"{local_time(one['start_time'], zone)} – {local_time(one['end_time'], zone)} {one['reason']}"
            for one in _closures_to_show(resource.closures)
        )

    def save_model(self, request: HttpRequest, obj: Resource, form: Any, change: bool) -> None:
        values = {
            name: form.cleaned_data[name]
            for name in form.changed_data
            if name in operations.WRITABLE
        }
        now = timezone.now()
        if change:
            saved = operations.update_resource(
                business=obj.business, resource_id=obj.pk, changes=values, now=now
            )
        else:
            saved = operations.create_resource(business=obj.business, values=values, now=now)
        obj.__dict__.update(saved.__dict__)

    def delete_model(self, request: HttpRequest, obj: Resource) -> None:
        operations.delete_resource(business=obj.business, resource_id=obj.pk, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Resource]) -> None:
        for resource in self.changeable(request, queryset):
            self.delete_model(request, resource)
