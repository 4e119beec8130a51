"""Filters of the list of resources."""

from __future__ import annotations

from kaivox.api.filters import ActiveFilter, StrictFilterSet, TextFilter, UpdatedSinceFilter


class ResourceFilters(StrictFilterSet):
    is_active = ActiveFilter(field_name="is_active")
    kind = TextFilter(field_name="kind", lookup_expr="exact")
    updated_since = UpdatedSinceFilter()
