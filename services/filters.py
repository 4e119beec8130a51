"""Filters of the list of services."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import QuerySet

from kaivox.api.filters import (
    ActiveFilter,
    SearchFilter,
    StrictFilterSet,
    TenantRelatedFilter,
    UpdatedSinceFilter,
)


def _staff() -> Any:
    # By name: `staff` is a higher layer and cannot be imported here.
    return apps.get_model("staff", "StaffMember")._default_manager.all()


class _OfferedByFilter(TenantRelatedFilter):
    """What a member of staff offers; nothing that needs no staff."""

    def narrow(self, qs: QuerySet[Any], value: int) -> QuerySet[Any]:
        return super().narrow(qs, value).filter(needs_staff=True)


class ServiceFilters(StrictFilterSet):
    is_active = ActiveFilter(field_name="is_active")
    staff_id = _OfferedByFilter(
        _staff, noun="member of staff", field_name="staff", lookup_expr="exact"
    )
    search = SearchFilter(["name", "description"])
    updated_since = UpdatedSinceFilter()
