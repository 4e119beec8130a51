"""The list of the plain stack: ModelViewSet, ModelSerializer and select_related."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.viewsets import ModelViewSet

from appointments.models import Appointment


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    service_name = serializers.CharField(source="service.name", read_only=True)
    staff_name = serializers.CharField(source="staff.name", read_only=True)

    class Meta:
        model = Appointment
        fields = (
            "id", "customer", "customer_name", "service", "service_name", "staff", "staff_name",
            "start_time", "end_time", "duration_minutes", "party_size", "resource_ids", "price",
            "currency", "status", "confirmation", "source", "notes", "cancellation_reason", "call_id",
            "series", "visit", "metadata", "created_at", "updated_at",
        )  # fmt: skip


class AppointmentViewSet(ModelViewSet[Appointment]):
    serializer_class = AppointmentSerializer
    queryset = Appointment.objects.select_related("customer", "service", "staff")
    filterset_fields = ("status", "staff", "customer", "service")
    ordering_fields = ("start_time", "created_at", "updated_at")
    ordering = ("start_time", "id")

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(business=self.request.auth.business)
