from __future__ import annotations

from kaivox.api.viewsets import ReadViewSet
from services.filters import ServiceFilters
from services.models import Service
from services.serializers import ServiceSerializer


class ServiceViewSet(ReadViewSet):
    """What the business sells: how long it takes, what it costs, who performs it.

    The list has the active ones; ask with `is_active=false` or `is_active=all` for others.
    """

    scope = "services"
    queryset = Service.objects.select_related("business").prefetch_related("staff")
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilters
    ordering = "name"
    ordering_fields = ("name", "created_at", "updated_at")
