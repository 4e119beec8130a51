from __future__ import annotations

from kaivox.api.filters import (
    ActiveFilter,
    OwnedFilter,
    SearchFilter,
    StrictFilterSet,
    UpdatedSinceFilter,
)
from services.models import Service


class StaffFilters(StrictFilterSet):
    is_active = ActiveFilter(field_name="is_active")
    service_id = OwnedFilter(
        Service.objects.all, noun="service", field_name="services", lookup_expr="exact"
    )
    search = SearchFilter(["name", "specialty"])
    updated_since = UpdatedSinceFilter()
