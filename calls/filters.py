"""Query string of the list of calls."""

from __future__ import annotations

from typing import Any

from calls.models import Direction, Sentiment, Status
from customers.models import Customer
from customers.phones import to_e164
from kaivox.api.filters import (
    ChoicesFilter,
    OwnedFilter,
    StrictFilterSet,
    TextFilter,
    UpdatedSinceFilter,
    WholeNumberFilter,
    day_filters,
)


class NumberFilter(TextFilter):
    """Calls from or to a number. What is no phone number (a SIP user, a short code) is compared as
    it stands."""

    def narrow(self, qs: Any, value: str) -> Any:
        # An unescaped `+` arrives as a space.
        text = f"+{value[1:]}" if value.startswith(" ") else value
        try:
            text = to_e164(text, country=self.parent.business.country)
        except ValueError:
            text = text.strip()
        return qs.with_phone(text)


class Mentions(TextFilter):
    """All words of the text, each also as the beginning of a longer one, in transcript or summary."""

    def narrow(self, qs: Any, value: str) -> Any:
        return qs.searched(value, business=self.parent.business)


class CallFilters(StrictFilterSet):
    sentiment = ChoicesFilter(Sentiment.values)
    status = ChoicesFilter(Status.values)
    direction = ChoicesFilter(Direction.values)
    customer_id = OwnedFilter(Customer.objects.all, noun="customer", field_name="customer_id")
    phone = NumberFilter()
    date, date_from, date_to = day_filters("started_at")
    min_duration = WholeNumberFilter(field_name="duration_seconds", lookup_expr="gte")
    search = Mentions()
    updated_since = UpdatedSinceFilter()
