"""Serializers of services: the response, and the bodies of POST and PATCH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from rest_framework import serializers

from kaivox.api.fields import (
    BoundedListField,
    NameField,
    PriceField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from kaivox.businesses.setting_rules import LONGEST_HORIZON_DAYS, LONGEST_NOTICE_MINUTES
from kaivox.db.compiled_query import CompiledQuery
from services.models import (
    LARGEST_DAILY_CAP,
    LONGEST_BUFFER_MINUTES,
    LONGEST_MINUTES,
    MAX_CAPACITY,
    MAX_KINDS,
    Service,
    check_kind,
)

# Meaning of the booking rules, in responses and bodies.
_NOTICE: Final = (
    "Time before the start until which it can be booked. Null: the minimum notice of the business."
)
_HORIZON: Final = "How many days ahead it can be booked. Null: the horizon of the business."
_DAILY_CAP: Final = "Maximum appointments per local day, with all staff together. Null: no limit."
_CANCELLATION: Final = (
    "Time before the start until which an appointment can be cancelled. Null: at any time."
)
_RESCHEDULE: Final = (
    "Time before the start until which an appointment can be moved. Null: at any time."
)


def _offers(service_ids: tuple[int, ...]) -> QuerySet[Any]:
    """(service id, id of an active member of staff who offers it)."""
    offers = Service.staff.through.objects.filter(
        service_id__in=service_ids, staffmember__is_active=True
    )
    return offers.order_by("staffmember_id").values_list("service_id", "staffmember_id")


_OFFERS: Final = CompiledQuery(_offers)


class ServiceSerializer(ReadSerializer):
    """A service. Needs `load_related`."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    duration_minutes = serializers.IntegerField()
    buffer_before_minutes = serializers.IntegerField(
        help_text="Time blocked before the appointment."
    )
    buffer_after_minutes = serializers.IntegerField(help_text="Time blocked after the appointment.")
    price = serializers.DecimalField(max_digits=10, decimal_places=2)
    currency = serializers.CharField(source="business.currency")
    capacity = serializers.IntegerField(help_text="People that one start takes: seats of a class.")
    resource_kinds = serializers.ListField(
        child=serializers.CharField(),
        help_text="Kinds of resources of which each booking reserves one.",
    )
    needs_staff = serializers.BooleanField(
        help_text="Whether a member of staff performs it. False: its resources alone are booked."
    )
    minimum_notice_minutes = serializers.IntegerField(allow_null=True, help_text=_NOTICE)
    horizon_days = serializers.IntegerField(allow_null=True, help_text=_HORIZON)
    daily_cap = serializers.IntegerField(allow_null=True, help_text=_DAILY_CAP)
    cancellation_window_minutes = serializers.IntegerField(allow_null=True, help_text=_CANCELLATION)
    reschedule_window_minutes = serializers.IntegerField(allow_null=True, help_text=_RESCHEDULE)
    is_active = serializers.BooleanField(help_text="Whether it can be booked.")
    staff_ids = serializers.SerializerMethodField(
        help_text="Active staff who offer it; empty where it needs none."
    )
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @classmethod
    def load_related(cls, rows: Sequence[Any], business: Any) -> None:
        offered_by: dict[int, list[int]] = {row.pk: [] for row in rows}
        if offered_by:
            for service_id, staff_id in _OFFERS.rows(service_ids=tuple(offered_by)):
                offered_by[service_id].append(staff_id)
        for row in rows:
            row.shown_staff_ids = offered_by[row.pk] if row.needs_staff else []

    @staticmethod
    def get_staff_ids(service: Service) -> list[int]:
        return service.shown_staff_ids


class KindField(StrictCharField):
    """A kind of resource."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, validators=[check_kind], **kwargs)


class KindsField(BoundedListField):
    """Different kinds of resources."""

    def to_internal_value(self, data: Any) -> list[str]:
        kinds: list[str] = super().to_internal_value(data)
        if len({*kinds}) < len(kinds):
            raise serializers.ValidationError("Name each kind once.")
        return kinds


class ServicePatch(WriteSerializer):
    """The fields of a service that can be changed. Who offers it is written at the staff member."""

    cleared: ClassVar[Mapping[str, Any]] = {
        "description": "",
        "buffer_before_minutes": 0,
        "buffer_after_minutes": 0,
        "price": Decimal(0),
        "capacity": 1,
        "resource_kinds": [],
        "minimum_notice_minutes": None,
        "horizon_days": None,
        "daily_cap": None,
        "cancellation_window_minutes": None,
        "reschedule_window_minutes": None,
    }

    name = NameField(max_length=120, required=False)
    description = StrictCharField(max_length=2000, required=False, allow_blank=True)
    duration_minutes = StrictIntegerField(min_value=1, max_value=LONGEST_MINUTES, required=False)
    buffer_before_minutes = StrictIntegerField(
        min_value=0,
        max_value=LONGEST_BUFFER_MINUTES,
        required=False,
        help_text="Time blocked before the appointment.",
    )
    buffer_after_minutes = StrictIntegerField(
        min_value=0,
        max_value=LONGEST_BUFFER_MINUTES,
        required=False,
        help_text="Time blocked after the appointment.",
    )
    price = PriceField(max_digits=10, decimal_places=2, required=False)
    capacity = StrictIntegerField(
        min_value=1,
        max_value=MAX_CAPACITY,
        required=False,
        help_text="People that one start takes: above 1 it is a class, which appointments share.",
    )
    resource_kinds = KindsField(
        child=KindField(),
        max_length=MAX_KINDS,
        required=False,
        help_text="Kinds of resources of which each booking reserves one, such as `table`.",
    )
    needs_staff = StrictBooleanField(
        required=False,
        help_text="Default true. False: its resources alone are booked, `resource_kinds` of one at "
        "least.",
    )
    minimum_notice_minutes = StrictIntegerField(
        min_value=0, max_value=LONGEST_NOTICE_MINUTES, required=False, help_text=_NOTICE
    )
    horizon_days = StrictIntegerField(
        min_value=1, max_value=LONGEST_HORIZON_DAYS, required=False, help_text=_HORIZON
    )
    daily_cap = StrictIntegerField(
        min_value=1, max_value=LARGEST_DAILY_CAP, required=False, help_text=_DAILY_CAP
    )
    cancellation_window_minutes = StrictIntegerField(
        min_value=0, max_value=LONGEST_NOTICE_MINUTES, required=False, help_text=_CANCELLATION
    )
    reschedule_window_minutes = StrictIntegerField(
        min_value=0, max_value=LONGEST_NOTICE_MINUTES, required=False, help_text=_RESCHEDULE
    )
    is_active = StrictBooleanField(required=False, help_text="False: it cannot be booked.")


class NewService(ServicePatch):
    """A new service: `name` and `duration_minutes`."""

    name = NameField(max_length=120)
    duration_minutes = StrictIntegerField(min_value=1, max_value=LONGEST_MINUTES)
