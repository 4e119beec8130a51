"""Query strings of the lists of endpoints and deliveries."""

from __future__ import annotations

from kaivox.api.filters import ChoicesFilter, InstantFilter, StrictFilterSet
from webhooks.event_types import EVENT_TYPES
from webhooks.models import DeliveryStatus


class DeliveryFilters(StrictFilterSet):
    status = ChoicesFilter(DeliveryStatus.values)
    event_type = ChoicesFilter(tuple(EVENT_TYPES), field_name="event__type")
    since = InstantFilter(field_name="created_at", lookup_expr="gte")
