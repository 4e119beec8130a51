"""Filters of the list of customers."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.serializers import ValidationError

from customers.models import PipelineStage, Segment
from customers.phones import to_e164
from kaivox.api.filters import (
    ChoicesFilter,
    LocalDayFilter,
    SearchFilter,
    StrictFilterSet,
    TextFilter,
    UpdatedSinceFilter,
)
from kaivox.api.values import parse_instant, restore_plus
from kaivox.db.folded_text import fold_for_search


class PhoneFilter(TextFilter):
    """A phone number in any spelling, parsed in the business's country."""

    def narrow(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        try:
            number = to_e164(restore_plus(value), country=self.parent.business.country)
        except ValueError as error:
            raise ValidationError({self.field_name: [str(error)]}) from error
        return super().narrow(qs, number)


_LIKE_A_NUMBER = re.compile(r"[\d\s()+./-]*\d[\d\s()+./-]*")
_MIN_DIGITS_AFTER_PREFIX = 5
_TRUNK_PREFIX = re.compile(r"\(0\)")  # as in +44 (0)20, not dialled with the country code


class EmailFilter(TextFilter):
    """An e-mail address, compared without case."""

    def narrow(self, qs: Any, value: str) -> QuerySet[Any]:
        # No address has a space: an unescaped `+` arrives as one.
        narrowed: QuerySet[Any] = qs.with_email(value.strip().replace(" ", "+"))
        return narrowed


class CustomerSearch(SearchFilter):
    """Text anywhere in name, phone or e-mail, without case and accents. A phone is found in every
    spelling that `phone=` accepts, and by part of its digits."""

    def __init__(self) -> None:
        super().__init__(
            fields=("name", "phone", "email"),
            help_text="Text anywhere in name, phone or e-mail, whatever the case and accents; a phone in "
            "any spelling.",
        )

    def narrow(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        texts = {fold_for_search(value)}
        if "@" in value:
            texts.add(fold_for_search(value.strip().replace(" ", "+")))
        texts |= self._phones(value)
        texts.discard("")
        if not texts:
            return qs.none()  # only invisible characters
        return qs.filter(reduce(or_, (Q(search_text__contains=text) for text in texts)))

    def _phones(self, value: str) -> set[str]:
        """Texts to look for where `value` may be a phone number or a part of one."""
        found = set()
        with suppress(ValueError):
            found.add(to_e164(restore_plus(value), country=self.parent.business.country))
        if _LIKE_A_NUMBER.fullmatch(value):
            digits = re.sub(r"\D", "", _TRUNK_PREFIX.sub("", value))
            found.add(digits)
            # E.164 has no national prefix: the leading 0 is not stored. What is short may as well be
            # the end of a number, and without its zeros would be in most of them.
            if len(digits.lstrip("0")) >= _MIN_DIGITS_AFTER_PREFIX:
                found.add(digits.lstrip("0"))
        return found


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
        return parse_instant(text) if len(text.strip()) > len("YYYY-MM-DD") else read_day(text)

    return read


class CustomerFilters(StrictFilterSet):
    search = CustomerSearch()
    segment = ChoicesFilter(Segment.values)
    pipeline_stage = ChoicesFilter(PipelineStage.values)
    phone = PhoneFilter()
    email = EmailFilter(max_length=254)  # as long as the column
    source = TextFilter()
    created_from = DayOrInstantFilter("from", field_name="created_at")
    created_to = DayOrInstantFilter("to", field_name="created_at")
    updated_since = UpdatedSinceFilter()
