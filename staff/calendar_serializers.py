"""Serializers of calendars of busy times."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kaivox.api.fields import StrictCharField, TenantRelatedField, UtcDateTimeField
from kaivox.api.serializers import ReadSerializer, WriteSerializer, depends_on
from staff.busy_calendars import checked_address
from staff.models import BusyCalendar, StaffMember

STATUSES = ("unread", "current", "stale")


class BusyCalendarSerializer(ReadSerializer):
    """A calendar of busy times, its address masked."""

    id = serializers.IntegerField()
    staff_id = serializers.IntegerField(help_text="Whose time it blocks.")
    name = serializers.CharField()
    ics_url = serializers.CharField(
        source="shown_url", help_text="Masked: the host and the last four characters."
    )
    status = serializers.SerializerMethodField(
        help_text="`unread` before its first success, when it blocks nothing; `stale` while it cannot "
        "be read, when it blocks what it blocked at the last success; else `current`."
    )
    problem = serializers.SerializerMethodField(
        help_text="Why the last attempt to read it failed, or null."
    )
    busy_times = serializers.IntegerField(
        source="busy_count", help_text="How many periods it blocks, up to the booking horizon."
    )
    last_read_at = UtcDateTimeField(allow_null=True, help_text="When it was last read.")
    failing_since = UtcDateTimeField(
        allow_null=True, help_text="Since when every attempt failed, or null."
    )
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("last_read_at", "failing_since")
    @extend_schema_field(serializers.ChoiceField(choices=STATUSES))
    def get_status(calendar: Any) -> str:
        return BusyCalendar.status_of(calendar.last_read_at, calendar.failing_since)

    @staticmethod
    @depends_on("problem")
    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_problem(calendar: Any) -> str | None:
        return calendar.problem or None


class NewBusyCalendar(WriteSerializer):
    """A new calendar of busy times: `staff_id` and `ics_url`."""

    staff_id = TenantRelatedField(StaffMember, noun="member of staff", source="staff")
    ics_url = StrictCharField(
        max_length=2048,
        help_text="Its secret address in the format iCalendar: `https://…` or `webcal://…`. It is not "
        "shown again.",
    )
    name = StrictCharField(
        max_length=120, required=False, allow_blank=True, help_text="What it is called here."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # Here and not in the operation: a name is looked up, and no lock waits for a name server.
        return {**attrs, "ics_url": checked_address(attrs["ics_url"])}
