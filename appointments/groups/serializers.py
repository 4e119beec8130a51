"""What the serializers of series and visits have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments.models import Appointment
from appointments.serializers import AppointmentSerializer
from kaivox.api.fields import IdField, StrictCharField, UtcDateTimeField
from kaivox.api.serializers import QuerySerializer, ReadSerializer, WriteSerializer


class GroupedAppointmentSerializer(AppointmentSerializer):
    """An appointment of a series or visit: as `Appointment`, without the customer's name."""

    field_scopes = {}

    customer_name = None  # type: ignore[assignment]


class GroupSerializer(ReadSerializer):
    """A series or visit with its appointments. `group` is the name of the appointments' foreign key."""

    group = ""

    appointments = serializers.SerializerMethodField(
        help_text="By `start_time`, cancelled ones included."
    )

    @classmethod
    def load_related(cls, rows: Sequence[Any], business: Any) -> None:
        members = Appointment.objects.for_business(business).with_related()
        by_group = defaultdict(list)
        found = members.filter(**{f"{cls.group}__in": [row.pk for row in rows]})
        for one in found.order_by("start_time", "pk"):
            by_group[getattr(one, f"{cls.group}_id")].append(one)
        for row in rows:
            row.shown_appointments = by_group[row.pk]

    @staticmethod
    @extend_schema_field(GroupedAppointmentSerializer(many=True))
    def get_appointments(row: Any) -> list[dict[str, Any]]:
        return GroupedAppointmentSerializer.render_many(row.shown_appointments)


class WholeMinuteField(UtcDateTimeField):
    """An instant at which an appointment may begin."""

    def to_internal_value(self, value: Any) -> Any:
        instant = super().to_internal_value(value)
        if instant.second or instant.microsecond:
            raise serializers.ValidationError("Appointments begin at a whole minute.")
        return instant


class GroupCancellationQuery(QuerySerializer):
    """The query of the cancellation of a visit, or of a series."""

    reason = StrictCharField(
        max_length=500, required=False, help_text="Shown as `cancellation_reason`."
    )
    call_id = IdField(required=False, help_text="The call in which they are cancelled.")


class GroupCancellation(WriteSerializer):
    """The body of the cancellation of a visit, or of a series: the same fields as its query."""

    reason = StrictCharField(max_length=500, required=False, allow_blank=True)
    call_id = IdField(required=False)


def call_renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `call_id` as the operations' `call`."""
    return {"call" if name == "call_id" else name: value for name, value in values.items()}
