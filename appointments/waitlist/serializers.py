"""Serializers of the waiting list."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from appointments.waitlist.models import PartOfDay, WaitlistEntry, WaitlistStatus
from customers.models import Customer
from kaivox.api.fields import (
    LocalDateField,
    StrictIntegerField,
    TenantRelatedField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer, WriteSerializer, depends_on
from services.models import MAX_CAPACITY, Service
from staff.models import StaffMember


class WaitlistEntrySerializer(ReadSerializer):
    """A customer who waits for a time. The fields `offered_…` and `offer_expires_at` are those of the
    current offer, or of the last one; null before the first."""

    field_scopes = {"customer_name": "customers:read"}

    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    customer_name = serializers.CharField(
        source="customer.name", allow_null=True, help_text="Null without `customers:read`."
    )
    service_id = serializers.IntegerField()
    service = serializers.CharField(source="service.name", help_text="The service's name.")
    staff_id = serializers.IntegerField(allow_null=True, help_text="Null: anyone.")
    staff_name = serializers.CharField(source="staff.name", allow_null=True)
    date_from = LocalDateField(help_text="In `timezone`.")
    date_to = LocalDateField(help_text="The last day, included.")
    part_of_day = serializers.SerializerMethodField(help_text="Null: at any time of the day.")
    party_size = serializers.IntegerField(help_text="People who wait together.")
    timezone = serializers.CharField(source="business.timezone", help_text="The business's.")
    status = serializers.ChoiceField(choices=WaitlistStatus.choices)
    hold_id = serializers.IntegerField(
        allow_null=True, help_text="Of the open offer: book with it before `offer_expires_at`."
    )
    offered_start_time = UtcDateTimeField(allow_null=True)
    offered_staff_id = serializers.IntegerField(allow_null=True)
    offered_staff_name = serializers.CharField(source="offered_staff.name", allow_null=True)
    offer_expires_at = UtcDateTimeField(allow_null=True)
    unanswered_offers = serializers.IntegerField()
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("part_of_day")
    def get_part_of_day(entry: WaitlistEntry) -> str | None:
        return entry.part_of_day or None


class NewWaitlistEntry(WriteSerializer):
    """The body that adds a customer to the waiting list."""

    customer_id = TenantRelatedField(Customer, noun="customer", source="customer")
    service_id = TenantRelatedField(Service, noun="service", source="service")
    staff_id = TenantRelatedField(
        StaffMember,
        noun="member of staff",
        source="staff",
        required=False,
        allow_null=True,
        help_text="Left out: anyone who offers the service.",
    )
    date_from = LocalDateField(help_text="The first day, in the business's time zone.")
    date_to = LocalDateField(
        required=False, help_text="The last day, included; at most 31 days. Left out: `date_from`."
    )
    part_of_day = serializers.ChoiceField(
        choices=PartOfDay.choices, required=False, help_text="Left out: at any time of the day."
    )

    party_size = StrictIntegerField(
        min_value=1,
        max_value=MAX_CAPACITY,
        required=False,
        help_text="People who wait together; default 1.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value is not None}
