"""Serializers of members of staff and closures: the responses, and the bodies of writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.validators import validate_email
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kaivox.api.fields import (
    BoundedListField,
    IdField,
    LocalDateField,
    NameField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer, WriteSerializer, depends_on
from kaivox.api.values import parse_wall_time
from services.models import Service
from staff.hours import overrides_by_date, weekly_hours
from staff.minute_of_day import format_clock
from staff.models import Closure, ClosureKind, StaffMember
from staff.schedules import load_schedules


class OfferedServiceSerializer(ReadSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class WorkingHoursSerializer(ReadSerializer):
    weekday = serializers.IntegerField(min_value=0, max_value=6, help_text="0 is Monday.")
    start = serializers.CharField(help_text="`HH:MM` in the staff member's `timezone`.")
    end = serializers.CharField(help_text="`HH:MM`; `24:00` is the end of the day.")


class TimeOffSerializer(ReadSerializer):
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    reason = serializers.CharField()


class ClockHoursSerializer(ReadSerializer):
    start = serializers.CharField(help_text="`HH:MM` in the staff member's `timezone`.")
    end = serializers.CharField(help_text="`HH:MM`; `24:00` is the end of the day.")


class DateOverrideSerializer(ReadSerializer):
    date = serializers.DateField(help_text="Local day.")
    hours = ClockHoursSerializer(many=True, help_text="All of that day; none: a day off.")


class StaffSerializer(ReadSerializer):
    """A member of staff."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    specialty = serializers.CharField()
    email = serializers.CharField()
    is_active = serializers.BooleanField(help_text="Whether they can be booked.")
    timezone = serializers.CharField(source="business.timezone")
    services = serializers.SerializerMethodField(help_text="Active services they offer.")
    working_hours = serializers.SerializerMethodField(
        help_text="Each week, without breaks. Single dates may differ: see `date_overrides`."
    )
    date_overrides = serializers.SerializerMethodField(
        help_text="Hours on single dates, from today on, which replace those of the week."
    )
    time_off = serializers.SerializerMethodField(help_text="From today on.")
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @classmethod
    def load_related(cls, rows: Sequence[Any], business: Any) -> None:
        load_schedules(rows, business=business, now=timezone.now())

    @staticmethod
    @extend_schema_field(OfferedServiceSerializer(many=True))
    def get_services(person: StaffMember) -> list[dict[str, Any]]:
        return [
            {"id": service.id, "name": service.name} for service in person.shown_schedule.services
        ]

    @staticmethod
    @extend_schema_field(WorkingHoursSerializer(many=True))
    def get_working_hours(person: StaffMember) -> list[dict[str, Any]]:
        schedule = person.shown_schedule
        windows = weekly_hours(schedule.hours, schedule.breaks)
        return [
            {"weekday": weekday, "start": format_clock(start), "end": format_clock(end)}
            for weekday, hours in sorted(windows.items())
            for start, end in hours
        ]

    @staticmethod
    @extend_schema_field(DateOverrideSerializer(many=True))
    def get_date_overrides(person: StaffMember) -> list[dict[str, Any]]:
        by_date = overrides_by_date(person.shown_schedule.overrides)
        return [
            {
                "date": day.isoformat(),
                "hours": [
                    {"start": format_clock(start), "end": format_clock(end)} for start, end in hours
                ],
            }
            for day, hours in sorted(by_date.items())
        ]

    @staticmethod
    @extend_schema_field(TimeOffSerializer(many=True))
    def get_time_off(person: StaffMember) -> list[dict[str, Any]]:
        return [TimeOffSerializer.render(absence) for absence in person.shown_schedule.time_off]


@extend_schema_field({"type": "string", "examples": ["09:00"]})
class ClockField(StrictCharField):
    """`HH:MM` as minutes after midnight; `24:00` is the end of the day."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return parse_wall_time(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class ItemSerializer(WriteSerializer):
    """An item of a list in a body. Each is whole, also in a PATCH, where REST framework lets required
    fields be left out."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        validated = super().to_internal_value(data)
        missing = [name for name, field in self.fields.items() if field.required]
        problems = {name: ["This field is required."] for name in missing if name not in data}
        if problems:
            raise serializers.ValidationError(problems)
        return validated


class WorkingHoursInput(ItemSerializer):
    weekday = StrictIntegerField(min_value=0, max_value=6, help_text="0 is Monday.")
    start = ClockField(help_text="`HH:MM` in the staff member's `timezone`.")
    end = ClockField(help_text="`HH:MM`; `24:00` is the end of the day.")

    def to_internal_value(self, data: Any) -> Any:
        window = super().to_internal_value(data)
        return window["weekday"], window["start"], window["end"]


class ClockHoursInput(ItemSerializer):
    start = ClockField(help_text="`HH:MM` in the staff member's `timezone`.")
    end = ClockField(help_text="`HH:MM`; `24:00` is the end of the day.")

    def to_internal_value(self, data: Any) -> Any:
        window = super().to_internal_value(data)
        return window["start"], window["end"]


class DateOverrideInput(ItemSerializer):
    date = LocalDateField(help_text="Local day, today or later.")
    hours = BoundedListField(
        child=ClockHoursInput(),
        max_length=20,
        help_text="All windows of that day; `[]`: a day off.",
    )

    def to_internal_value(self, data: Any) -> Any:
        override = super().to_internal_value(data)
        return override["date"], override["hours"]


class TimeOffInput(ItemSerializer):
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    reason = StrictCharField(max_length=200, required=False, allow_blank=True)

    def to_internal_value(self, data: Any) -> Any:
        absence = super().to_internal_value(data)
        return absence["start_time"], absence["end_time"], absence.get("reason") or ""


class ServiceIdsField(BoundedListField):
    """Ids of services of the caller's own business, as rows. One query for any number."""

    def to_internal_value(self, data: Any) -> list[Any]:
        ids = super().to_internal_value(data)
        services = Service.objects.for_business(self.context["business"]).in_bulk(ids)
        unknown: dict[Any, Any] = {
            place: ["There is no service with this id."]
            for place, service_id in enumerate(ids)
            if service_id not in services
        }
        unknown |= {
            place: [f"{services[service_id].name} needs no staff."]
            for place, service_id in enumerate(ids)
            if service_id in services and not services[service_id].needs_staff
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return list(services.values())

    def to_representation(self, value: Any) -> list[int]:
        return [service.pk for service in value]


class StaffPatch(WriteSerializer):
    """The fields of a member of staff that can be changed. Lists are replaced as a whole."""

    cleared: ClassVar[Mapping[str, Any]] = {
        "specialty": "",
        "email": "",
        "service_ids": (),
        "working_hours": (),
        "date_overrides": (),
        "time_off": (),
    }

    name = NameField(max_length=120, required=False)
    specialty = StrictCharField(max_length=120, required=False, allow_blank=True)
    email = StrictCharField(
        max_length=254, validators=[validate_email], required=False, allow_blank=True
    )
    is_active = StrictBooleanField(required=False, help_text="False: they cannot be booked.")
    service_ids = ServiceIdsField(
        child=IdField(),
        max_length=500,
        required=False,
        source="services",
        help_text="Services that they offer; none that needs no staff. Inactive ones that they offered "
        "stay.",
    )
    working_hours = BoundedListField(
        child=WorkingHoursInput(),
        max_length=100,
        required=False,
        help_text="All windows of the week. A break is the gap between two of them.",
    )
    date_overrides = BoundedListField(
        child=DateOverrideInput(),
        max_length=400,
        required=False,
        help_text="Hours on single dates, all from today on; what was before stays.",
    )
    time_off = BoundedListField(
        child=TimeOffInput(),
        max_length=500,
        required=False,
        help_text="All from today on; what was over before stays.",
    )


class NewStaff(StaffPatch):
    """A new member of staff: `name`."""

    name = NameField(max_length=120)


class ClosureSerializer(ReadSerializer):
    """A closure as the API and its events show it."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ClosureKind.choices, help_text="Why, in one word.")
    reason = serializers.CharField()
    first_date = serializers.DateField(help_text="Local day on which it begins.")
    from_time = serializers.SerializerMethodField(help_text="`HH:MM` on the first day.")
    last_date = serializers.DateField(help_text="Local day on which it ends.")
    until_time = serializers.SerializerMethodField(
        help_text="`HH:MM` on the last day; `24:00` is its end."
    )
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("from_minute")
    def get_from_time(closure: Closure) -> str:
        return format_clock(closure.from_minute)

    @staticmethod
    @depends_on("until_minute")
    def get_until_time(closure: Closure) -> str:
        return format_clock(closure.until_minute)


class NewClosure(WriteSerializer):
    """A new closure: `reason` and `first_date`."""

    kind = serializers.ChoiceField(
        choices=ClosureKind.choices, required=False, help_text="Default: `holiday`."
    )
    reason = StrictCharField(max_length=200, help_text="Such as the name of the holiday.")
    first_date = LocalDateField(help_text="Local day on which it begins.")
    from_time = ClockField(
        required=False, source="from_minute", help_text="`HH:MM` on the first day; default `00:00`."
    )
    last_date = LocalDateField(required=False, help_text="Default: `first_date`.")
    until_time = ClockField(
        required=False, source="until_minute", help_text="`HH:MM` on the last day; default `24:00`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"last_date": attrs["first_date"], **attrs}
