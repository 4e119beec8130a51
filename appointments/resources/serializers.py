"""Serializers of resources: the response, and the bodies of POST and PATCH."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments.resources.hours import MAX_CLOSURES, MAX_HOURS, stored_closures, stored_hours
from appointments.resources.models import Resource
from kaivox.api.fields import (
    BoundedListField,
    NameField,
    StrictBooleanField,
    StrictIntegerField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer, WriteSerializer, depends_on
from services.models import MAX_CAPACITY
from services.serializers import KindField
from staff.serializers import (
    TimeOffInput,
    TimeOffSerializer,
    WorkingHoursInput,
    WorkingHoursSerializer,
)


class ResourceSerializer(ReadSerializer):
    """A resource: a studio, chair, table or machine."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField(help_text="What services ask for in `resource_kinds`.")
    capacity = serializers.IntegerField(help_text="People whom it takes.")
    is_active = serializers.BooleanField(help_text="Whether it can be booked.")
    hours = serializers.SerializerMethodField(help_text="Each week; empty: always.")
    closures = serializers.SerializerMethodField(help_text="When it cannot be booked.")
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("hours")
    @extend_schema_field(WorkingHoursSerializer(many=True))
    def get_hours(resource: Resource) -> list[dict[str, Any]]:
        return [{name: one[name] for name in ("weekday", "start", "end")} for one in resource.hours]

    @staticmethod
    @depends_on("closures")
    @extend_schema_field(TimeOffSerializer(many=True))
    def get_closures(resource: Resource) -> list[dict[str, Any]]:
        names = ("start_time", "end_time", "reason")
        return [{name: one[name] for name in names} for one in resource.closures]


class _HoursField(BoundedListField):
    child = WorkingHoursInput()

    def to_internal_value(self, data: Any) -> list[Any]:
        return stored_hours(super().to_internal_value(data))


class _ClosuresField(BoundedListField):
    child = TimeOffInput()

    def to_internal_value(self, data: Any) -> list[Any]:
        return stored_closures(super().to_internal_value(data))


class ResourcePatch(WriteSerializer):
    """The fields of a resource that can be changed. Lists are replaced as a whole."""

    cleared: ClassVar[Mapping[str, Any]] = {"capacity": 1, "hours": [], "closures": []}

    name = NameField(max_length=120, required=False)
    kind = KindField(required=False, help_text="Such as `table`: small letters, digits and `_`.")
    capacity = StrictIntegerField(
        min_value=1, max_value=MAX_CAPACITY, required=False, help_text="People whom it takes."
    )
    is_active = StrictBooleanField(required=False, help_text="False: it cannot be booked.")
    hours = _HoursField(
        max_length=MAX_HOURS,
        required=False,
        help_text="All windows of the week in local time; none: always.",
    )
    closures = _ClosuresField(
        max_length=MAX_CLOSURES, required=False, help_text="All periods without bookings."
    )


class NewResource(ResourcePatch):
    """A new resource: `name` and `kind`."""

    name = NameField(max_length=120)
    kind = KindField(help_text="Such as `table`: small letters, digits and `_`.")
