"""Query string of the list of calls."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from calls.models import CallOutcome, CallStatus, Direction, Provider, Sentiment
from customers.models import Customer
from customers.phones import to_e164
from kaivox.api.filters import (
    ChoicesFilter,
    StrictFilterSet,
    TenantRelatedFilter,
    TextFilter,
    UpdatedSinceFilter,
    WholeNumberFilter,
    day_filters,
)
from kaivox.api.values import restore_plus


class NumberFilter(TextFilter):
    """Calls from or to a number. What is no phone number (a SIP user, a short code) is compared
    literally."""

    def narrow(self, qs: Any, value: str) -> Any:
        text = restore_plus(value)
        try:
            text = to_e164(text, country=self.parent.business.country)
        except ValueError:
            text = text.strip()
        return qs.with_phone(text)


class ProviderCallIdFilter(TextFilter):
    """The voice provider's own id of the call."""

    def narrow(self, qs: Any, value: str) -> Any:
        # The unique index has the provider between business and id; imports have one of their own.
        known = Q(provider__in=Provider.values)
        return qs.filter(known | ~known, provider_call_id=value)


class Mentions(TextFilter):
    """All words of the text, each also as the beginning of a longer one, in transcript or summary."""

    def narrow(self, qs: Any, value: str) -> Any:
        return qs.searched(value, business=self.parent.business)


class CallFilters(StrictFilterSet):
    sentiment = ChoicesFilter(Sentiment.values)
    status = ChoicesFilter(CallStatus.values)
    direction = ChoicesFilter(Direction.values)
    customer_id = TenantRelatedFilter(
        Customer.objects.all, noun="customer", field_name="customer_id"
    )
    phone = NumberFilter(help_text="From or to this number, in any spelling.")
    provider_call_id = ProviderCallIdFilter()
    outcome = ChoicesFilter(CallOutcome.values)
    date, date_from, date_to = day_filters("started_at")
    min_duration = WholeNumberFilter(
        field_name="duration_seconds", lookup_expr="gte", help_text="At least so many seconds."
    )
    search = Mentions(
        help_text="All of these words in the transcript or the summary; the beginning of a word is enough."
    )
    updated_since = UpdatedSinceFilter()
