from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kaivox.api.fields import InstantField
from kaivox.api.serializers import ReadSerializer
from staff.clock import format_clock
from staff.hours import weekly_hours
from staff.models import StaffMember


class OfferedServiceSerializer(ReadSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class WorkingHoursSerializer(ReadSerializer):
    weekday = serializers.IntegerField(min_value=0, max_value=6, help_text="0 is Monday.")
    start = serializers.CharField(help_text="`HH:MM` in the staff member's `timezone`.")
    end = serializers.CharField(help_text="`HH:MM`; `24:00` is the end of the day.")


class TimeOffSerializer(ReadSerializer):
    start_time = InstantField()
    end_time = InstantField()
    reason = serializers.CharField()


class StaffSerializer(ReadSerializer):
    """A member of staff as the API shows them; `StaffQuerySet.with_schedule` loads what it needs."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    specialty = serializers.CharField()
    email = serializers.CharField()
    is_active = serializers.BooleanField(help_text="Whether they can be booked.")
    timezone = serializers.CharField(source="business.timezone")
    services = serializers.SerializerMethodField(help_text="Active services they perform.")
    working_hours = serializers.SerializerMethodField(
        help_text="Each week, breaks taken out. Single dates and days may differ: ask for slots."
    )
    time_off = serializers.SerializerMethodField(help_text="From today on.")
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    @extend_schema_field(OfferedServiceSerializer(many=True))
    def get_services(person: StaffMember) -> list[dict[str, Any]]:
        offered = [service for service in person.services.all() if service.is_active]
        return [
            {"id": service.pk, "name": service.name}
            for service in sorted(offered, key=lambda service: (service.name, service.pk))
        ]

    @staticmethod
    @extend_schema_field(WorkingHoursSerializer(many=True))
    def get_working_hours(person: StaffMember) -> list[dict[str, Any]]:
        hours, breaks = (
            [(row.weekday, row.start_minute, row.end_minute) for row in rows.all()]
            for rows in (person.working_hours, person.breaks)
        )
        return [
            {"weekday": weekday, "start": format_clock(start), "end": format_clock(end)}
            for weekday, windows in sorted(weekly_hours(hours, breaks).items())
            for start, end in windows
        ]

    @staticmethod
    @extend_schema_field(TimeOffSerializer(many=True))
    def get_time_off(person: StaffMember) -> list[dict[str, Any]]:
        return [TimeOffSerializer.render(row) for row in person.coming_time_off]
