"""API views of resources."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.resources import operations
from appointments.resources.filters import ResourceFilters
from appointments.resources.models import Resource
from appointments.resources.serializers import NewResource, ResourcePatch, ResourceSerializer
from kaivox.api.viewsets import ReadViewSet


class ResourceViewSet(ReadViewSet):
    """Studios, chairs, tables and machines that services require beside a member of staff, or instead.

    The list has the active ones; send `is_active=false` or `is_active=all` for others.
    """

    scope = "services"
    queryset = Resource.objects.all()
    serializer_class = ResourceSerializer
    filterset_class = ResourceFilters
    ordering = "name"
    ordering_fields = ("name", "created_at", "updated_at")
    body_serializers = {"create": NewResource, "partial_update": ResourcePatch}
    refusals = {"destroy": (operations.ResourceInUse,)}

    def create(self, request: Request) -> Response:
        """Add a resource: `name` and `kind`. A service requires it by `resource_kinds`."""
        resource = operations.create_resource(
            business=self.business, values=self.body(NewResource), now=timezone.now()
        )
        location = request.build_absolute_uri(f"/api/v1/resources/{resource.pk}")
        return self.show(resource, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a resource. `hours` and `closures` are replaced as a whole.

        Appointments that exist stay, also where they are outside the new hours.
        """
        resource = self.get_object()
        resource = operations.update_resource(
            business=self.business,
            resource_id=resource.pk,
            changes=self.body(ResourcePatch, change=resource),
            now=timezone.now(),
            expected=self.expected_version(resource),
        )
        return self.show(resource)

    @extend_schema(responses={200: ResourceSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a resource that was never booked. The response shows it for the last time."""
        resource = self.get_object()
        deleted = operations.delete_resource(
            business=self.business,
            resource_id=resource.pk,
            now=timezone.now(),
            expected=self.expected_version(resource),
        )
        return self.show(deleted)
