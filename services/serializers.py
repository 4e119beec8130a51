from __future__ import annotations

from rest_framework import serializers

from kaivox.api.fields import InstantField
from kaivox.api.serializers import ReadSerializer
from services.models import Service


class ServiceSerializer(ReadSerializer):
    """A service as the API shows it. Its active staff is in `staff`, prefetched."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    duration_minutes = serializers.IntegerField()
    buffer_before_minutes = serializers.IntegerField(
        help_text="Kept free before the appointment, for the member of staff."
    )
    buffer_after_minutes = serializers.IntegerField(help_text="Kept free after it.")
    price = serializers.DecimalField(max_digits=10, decimal_places=2)
    currency = serializers.CharField(source="business.currency")
    is_active = serializers.BooleanField(help_text="Whether it can be booked.")
    staff_ids = serializers.SerializerMethodField(help_text="Active staff who perform it.")
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    def get_staff_ids(service: Service) -> list[int]:
        return sorted(person.pk for person in service.staff.all() if person.is_active)
