"""Filters of the lists of members of staff and of closures."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, QuerySet

from kaivox.api.filters import (
    ActiveFilter,
    ChoicesFilter,
    DateFilter,
    SearchFilter,
    StrictFilterSet,
    TenantRelatedFilter,
    UpdatedSinceFilter,
)
from services.models import Service
from staff.models import ClosureKind


class _OfferedFilter(TenantRelatedFilter):
    """Those who offer a service; none where it needs no staff."""

    def narrow(self, qs: QuerySet[Any], value: int) -> QuerySet[Any]:
        # Not `services__needs_staff`: another filter() on it would join all services of each person.
        booked_with_staff = Service.objects.filter(pk=value, needs_staff=True)
        return super().narrow(qs, value).filter(Exists(booked_with_staff))


class StaffFilters(StrictFilterSet):
    is_active = ActiveFilter(field_name="is_active")
    service_id = _OfferedFilter(
        Service.objects.all, noun="service", field_name="services", lookup_expr="exact"
    )
    search = SearchFilter(["name", "specialty"])
    updated_since = UpdatedSinceFilter()


class ClosureFilters(StrictFilterSet):
    kind = ChoicesFilter(ClosureKind.values, field_name="kind")
    date_from = DateFilter(
        field_name="last_date", lookup_expr="gte", help_text="Those that end on this day or later."
    )
    date_to = DateFilter(
        field_name="first_date", lookup_expr="lte", help_text="Those that begin by this day."
    )
    updated_since = UpdatedSinceFilter()
