"""Admin of calendars of busy times: a list on the page of a member of staff, and a button that adds one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from kaivox.admin.base import WRITERS, BusinessOwnedInline, person
from kaivox.admin.columns import Tone, badge
from kaivox.admin.object_actions import ObjectAction
from staff import busy_calendars
from staff.models import BusyCalendar, StaffMember

_TONES = {"unread": Tone.INFO, "current": Tone.GOOD, "stale": Tone.WARNING}


class BusyCalendarInline(BusinessOwnedInline):
    """Calendars elsewhere; deleting one frees what it blocked."""

    model = BusyCalendar
    add_roles = frozenset()
    change_roles = frozenset()
    delete_roles = WRITERS
    fields = readonly_fields = (
        "state", "shown_url", "name", "busy_count", "last_read_at", "problem",
    )  # fmt: skip

    @admin.display(description="status")
    def state(self, calendar: BusyCalendar) -> SafeString:
        status = BusyCalendar.status_of(calendar.last_read_at, calendar.failing_since)
        return badge(status.capitalize(), _TONES[status])


class AddCalendarForm(forms.Form):
    ics_url = forms.CharField(
        label="Secret address",
        max_length=2048,
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 80}),
        help_text="Of the calendar in the format iCalendar: https://… or webcal://…. It is not shown again.",
    )
    name = forms.CharField(
        max_length=120, required=False, help_text="What the calendar is called here."
    )


def _add(request: HttpRequest, staff: StaffMember, values: dict[str, Any]) -> str:
    calendar = busy_calendars.add_busy_calendar(
        staff=staff,
        ics_url=busy_calendars.checked_address(values["ics_url"]),
        name=values["name"],
        now=timezone.now(),
        actor=person(request),
    )
    return f"{calendar} is read within a minute. Its events then block the time of {staff}."


def _read_again(request: HttpRequest, staff: StaffMember, values: dict[str, Any]) -> str:
    for calendar in staff.busy_calendars.all():
        busy_calendars.read_soon(calendar=calendar, now=timezone.now())
    return "The calendars are read within a minute."


CALENDAR_ACTIONS = (
    ObjectAction(
        "add-calendar",
        "Add a calendar",
        "Events of a calendar elsewhere (Google, Outlook, iCloud …) block the time of this member of "
        "staff. Only their times are stored.",
        _add,
        form=AddCalendarForm,
        roles=WRITERS,
    ),
    ObjectAction(
        "read-calendars",
        "Read the calendars now",
        "Calendars elsewhere are read every 15 minutes, less often while they fail.",
        _read_again,
        is_offered=lambda staff: staff.busy_calendars.exists(),
        roles=WRITERS,
    ),
)
