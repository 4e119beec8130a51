"""Query string of the list of customers."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.serializers import ValidationError

from customers.models import PipelineStage, Segment
from customers.phones import to_e164
from kaivox.api.fields import parse_instant
from kaivox.api.filters import (
    ChoicesFilter,
    LocalDayFilter,
    SearchFilter,
    StrictFilterSet,
    TextFilter,
    UpdatedSinceFilter,
)


class PhoneFilter(TextFilter):
    """A number as people write it, in the business's country."""

    def narrow(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        try:
            number = to_e164(_plus_again(value), country=self.parent.business.country)
        except ValueError as error:
            raise ValidationError({self.field_name: [str(error)]}) from error
        return super().narrow(qs, number)


def _plus_again(text: str) -> str:
    """In a query an unescaped `+` arrives as a space."""
    return f"+{text[1:]}" if text.startswith(" ") else text


_LIKE_A_NUMBER = re.compile(r"[\d\s()+./-]*\d[\d\s()+./-]*")


class CustomerSearch(SearchFilter):
    """Text in name, phone or e-mail. What looks like a number is searched by its digits, so that
    `98765 43210` and `098765-43210` find `+919876543210`."""

    def __init__(self) -> None:
        super().__init__(fields=("name", "phone", "email"))

    def narrow(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        anywhere = Q()
        for field in self.fields:
            anywhere |= Q(**{f"{field}__icontains": value})
        if _LIKE_A_NUMBER.fullmatch(value):
            # Stored numbers have no national prefix (the leading 0, which E.164 drops).
            digits = re.sub(r"\D", "", value).lstrip("0")
            anywhere |= Q(phone__icontains=digits) if digits else Q()
        return qs.filter(anywhere)


class DayOrInstantFilter(LocalDayFilter):
    """A local day, or an instant with its offset."""

    def __init__(self, edge: str, **kwargs: Any) -> None:
        super().__init__(edge, **kwargs)
        self.extra["read"] = _read_day_or_instant(self.extra["read"])

    def narrow(self, qs: QuerySet[Any], value: date | datetime) -> QuerySet[Any]:
        if isinstance(value, datetime):
            lookup = "gte" if self.edge == "from" else "lt"
            return qs.filter(**{f"{self.field_name}__{lookup}": value})
        return super().narrow(qs, value)


def _read_day_or_instant(read_day: Any) -> Any:
    def read(text: str) -> date | datetime:
        return parse_instant(text) if "T" in text.upper() else read_day(text)

    return read


class CustomerFilters(StrictFilterSet):
    search = CustomerSearch()
    segment = ChoicesFilter(Segment.values)
    pipeline_stage = ChoicesFilter(PipelineStage.values)
    phone = PhoneFilter()
    email = TextFilter(lookup_expr="iexact")
    source = TextFilter()
    created_from = DayOrInstantFilter("from", field_name="created_at")
    created_to = DayOrInstantFilter("to", field_name="created_at")
    updated_since = UpdatedSinceFilter()
