"""Serializers of visits: responses, bodies and queries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments.groups.models import Visit
from appointments.groups.serializers import GroupSerializer, call_renamed
from appointments.serializers import (
    StartFields,
    call_id_field,
    party_size_field,
    provider_call_id_field,
    with_call,
)
from appointments.slot_serializers import SlotQuery, SlotStaffSerializer
from appointments.visits.plans import MAX_SERVICES
from customers.models import Customer
from kaivox.api.fields import (
    BoundedListField,
    IdField,
    MetadataField,
    StrictCharField,
    TenantRelatedField,
    UtcDateTimeField,
    format_instant,
)
from kaivox.api.serializers import ReadSerializer
from kaivox.api.values import parse_id
from services.models import Service
from staff.models import StaffMember
from staff.serializers import ItemSerializer


class _VisitFields(ReadSerializer):
    """The fields of a visit before its appointments."""

    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    start_time = serializers.SerializerMethodField(help_text="When its first appointment begins.")
    end_time = serializers.SerializerMethodField(help_text="When its last appointment ends.")
    created_at = UtcDateTimeField()

    @staticmethod
    @extend_schema_field({"type": ["string", "null"], "format": "date-time"})
    def get_start_time(visit: Any) -> str | None:
        starts = [one.start_time for one in visit.shown_appointments]
        return format_instant(min(starts)) if starts else None

    @staticmethod
    @extend_schema_field({"type": ["string", "null"], "format": "date-time"})
    def get_end_time(visit: Any) -> str | None:
        ends = [one.end_time for one in visit.shown_appointments]
        return format_instant(max(ends)) if ends else None


class VisitSerializer(_VisitFields, GroupSerializer):
    """A visit with its appointments."""

    group = "visit"


class PartSlotSerializer(ReadSerializer):
    """When a service of a visit would be performed, and by whom."""

    service_id = serializers.IntegerField()
    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField()
    staff = SlotStaffSerializer(
        many=True, help_text="Each can be booked, with someone of the others."
    )


class VisitSlotSerializer(ReadSerializer):
    """A start at which all services can be booked, one after the other."""

    start_time = UtcDateTimeField()
    end_time = UtcDateTimeField(help_text="When the last service ends, in UTC.")
    date = serializers.CharField(help_text="In `meta.timezone`.")
    time = serializers.CharField(help_text="`HH:MM` in `meta.timezone`.")
    services = PartSlotSerializer(many=True, help_text="In the order of `service_ids`.")


@extend_schema_field({"type": "string", "pattern": r"^\d+(,\d+)*$", "examples": ["3,7"]})
class ServiceIdsField(StrictCharField):
    """Ids of services of the caller's own business, separated by commas; validated as rows, in order."""

    def to_internal_value(self, data: Any) -> Any:
        words = super().to_internal_value(data).split(",")
        if len(words) > MAX_SERVICES:
            raise serializers.ValidationError(f"At most {MAX_SERVICES} services.")
        ids = [parse_id(word.strip()) for word in words]
        if None in ids:
            raise serializers.ValidationError("Write ids, several with commas.")
        services = Service.objects.for_business(self.context["business"]).in_bulk(set(ids))
        if unknown := [one for one in ids if one not in services]:
            raise serializers.ValidationError(f"There is no service with the id {unknown[0]}.")
        return [services[one] for one in ids]


class VisitSlotQuery(SlotQuery):
    """The query of the slots of a visit."""

    service_id = None  # type: ignore[assignment]
    exclude_appointment_id = None  # type: ignore[assignment]
    service_ids = ServiceIdsField(
        source="services",
        help_text=f"In this order, back to back; at most {MAX_SERVICES}, with commas.",
    )
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        help_text="This person performs all of them.",
    )
    exclude_visit_id = TenantRelatedField(
        Visit,
        noun="visit",
        source="exclude_visit",
        required=False,
        help_text="The visit to be moved: its own time does not block a slot.",
    )


# --- Bodies --------------------------------------------------------------------------------------


class VisitServiceInput(ItemSerializer):
    """A service of a visit, and who performs it."""

    service_id = TenantRelatedField(Service, noun="service", source="service")
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        allow_null=True,
        help_text="Left out: one person for all of them where possible, else anyone who is free.",
    )

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        return values["service"], values.get("staff")


class NewVisit(StartFields):
    """The body of a visit: its services in order, and the start of the first."""

    customer_id = TenantRelatedField(Customer, noun="customer", source="customer")
    services = BoundedListField(
        child=VisitServiceInput(),
        max_length=MAX_SERVICES,
        allow_empty=False,
        help_text="In this order: each begins when the one before it ends.",
    )
    party_size = party_size_field(help_text="People who come to each service; default 1.")
    notes = StrictCharField(max_length=5000, required=False, allow_blank=True)
    source = StrictCharField(max_length=40, required=False)  # type: ignore[assignment]
    call_id = call_id_field()
    provider_call_id = provider_call_id_field()
    metadata = MetadataField(required=False, help_text="Of each appointment.")

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        return with_call(super().validate(values))


class VisitPatch(StartFields):
    """The body that moves a visit."""

    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        help_text="This person performs all of its services. Left out: each stays.",
    )
    call_id = IdField(required=False, help_text="The call in which it is moved.")
    provider_call_id = StrictCharField(
        max_length=200, required=False, help_text="Instead: the voice provider's own id of it."
    )

    def needs_start(self, values: dict[str, Any]) -> bool:
        return False

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        return call_renamed(with_call(super().validate(values)))
