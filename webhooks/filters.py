"""Query parameters of the lists of deliveries and events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from kaivox.api.filters import (
    ChoicesFilter,
    IdFilter,
    InstantFilter,
    ParsedFilter,
    StrictFilterSet,
)
from webhooks.event_types import EVENT_TYPES, SPELLINGS
from webhooks.long_polling import MAX_WAIT_SECONDS, PER_BUSINESS, THREADS_PER_POLL
from webhooks.models import DeliveryStatus


class DeliveryFilters(StrictFilterSet):
    status = ChoicesFilter(DeliveryStatus.values)
    event_type = ChoicesFilter(tuple(EVENT_TYPES), spellings=SPELLINGS, field_name="event__type")
    since = InstantFilter(field_name="created_at", lookup_expr="gte")


class WaitFilter(ParsedFilter):
    """The `wait` of a long poll: validated and documented with the filters, it narrows nothing."""

    schema: Mapping[str, Any] = {
        "type": "integer",
        "minimum": 0,
        "maximum": MAX_WAIT_SECONDS,
        "default": 0,
    }
    description = (
        "Long poll: where the page would be empty, wait up to so many seconds for an event. At most "
        f"{PER_BUSINESS} requests of a business wait at a time, and one for every {THREADS_PER_POLL} threads of "
        "a web process, of all businesses: one in all on an embedded server with the defaults."
    )

    def __init__(self) -> None:
        super().__init__(read=_read_seconds)

    def narrow(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs


def _read_seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2 or int(text) > MAX_WAIT_SECONDS:
        raise ValueError(f"Write a whole number of seconds from 0 to {MAX_WAIT_SECONDS}.")
    return int(text)


class EventFilters(StrictFilterSet):
    type = ChoicesFilter(tuple(EVENT_TYPES), spellings=SPELLINGS, field_name="type")
    object_id = IdFilter(
        field_name="object_id",
        help_text="The id of the object in `data`. Ids of different resources may be equal: "
        "combine it with `type`.",
    )
    since = InstantFilter(
        field_name="occurred_at",
        lookup_expr="gte",
        help_text="Only events that happened at or after this instant.",
    )
    wait = WaitFilter()
