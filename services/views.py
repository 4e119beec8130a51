"""API views of services."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.viewsets import ReadViewSet
from services import operations
from services.filters import ServiceFilters
from services.models import Service
from services.serializers import NewService, ServicePatch, ServiceSerializer


class ServiceViewSet(ReadViewSet):
    """Services: their duration, their price and who offers them.

    The list has the active ones; send `is_active=false` or `is_active=all` for others.
    """

    scope = "services"
    queryset = Service.objects.select_related("business")
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilters
    ordering = "name"
    ordering_fields = ("name", "created_at", "updated_at")
    body_serializers = {"create": NewService, "partial_update": ServicePatch}

    def create(self, request: Request) -> Response:
        """Add a service: `name` and `duration_minutes`. It can be booked once a member of staff
        offers it (`service_ids` of `/staff`); with `needs_staff: false` once there is a resource of each
        of its `resource_kinds`."""
        service = operations.create_service(
            business=self.business, values=self.body(NewService), now=timezone.now()
        )
        location = request.build_absolute_uri(f"/api/v1/services/{service.pk}")
        return self.show(service, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a service. Appointments that exist keep their duration, buffers, price and staff."""
        service = self.get_object()
        service = operations.update_service(
            business=self.business,
            service_id=service.pk,
            changes=self.body(ServicePatch, change=service),
            expected=self.expected_version(service),
            now=timezone.now(),
        )
        return self.show(service)
