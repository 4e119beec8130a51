"""Filters of lists: from the query string to the queryset.

An unknown parameter is an error: a filter that is silently ignored would return rows that the caller
believes filtered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from kaivox.api.exceptions import MAX_FIELD_ERRORS
from kaivox.api.request_context import context_of
from kaivox.api.suggestions import unknown_name
from kaivox.api.values import MAX_ID, parse_date, parse_id, parse_instant
from kaivox.db.folded_text import fold_for_search

ALWAYS_ALLOWED = frozenset({"api_key", "format"})


def reject_unknown_parameters(request: Request, known: Iterable[str]) -> None:
    """Raises ValidationError that names each query parameter that is unknown or repeated."""
    allowed = ALWAYS_ALLOWED.union(known)
    problems: dict[str, list[str]] = {}
    for name, values in request.query_params.lists():
        if len(problems) == MAX_FIELD_ERRORS:
            break
        if name not in allowed:
            problems[name] = [unknown_name(name, allowed, noun="parameter")]
        elif len(values) > 1:
            problems[name] = ["Sent more than once."]
        elif "\x00" in values[0]:
            problems[name] = ["It contains a NUL character."]
        elif not values[0].strip() and name != "cursor":  # an empty cursor is the start
            problems[name] = ["It is empty. Send a value, or leave it out."]
    if context_of(request).query_api_keys > 1:  # removed from the URL by extract_query_key
        problems["api_key"] = ["Sent more than once."]
    if problems:
        raise ValidationError(problems)


def reject_invalid_utf8(request: Request) -> None:
    """Raises ValidationError where the query is not UTF-8: Django would insert U+FFFD silently."""
    raw = request.META.get("QUERY_STRING", "")
    try:
        unquote_to_bytes(raw.replace("+", " ")).decode()
    except UnicodeError as error:
        raise ValidationError("The query is not valid UTF-8.") from error


class StrictFilterSet(FilterSet):
    """Base of each list's filters. A list without filters of its own uses it as it is."""

    @property
    def business(self) -> Any:
        return self.request.auth.business


class StrictFilterBackend(DjangoFilterBackend):
    """Applies a view's `filterset_class`. Raises ValidationError by parameter. The view has rejected
    unknown parameters already."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        filterset_class = getattr(view, "filterset_class", None) or StrictFilterSet
        if not set(request.query_params) & set(filterset_class.base_filters):
            return unfiltered(queryset, filterset_class)
        filterset = filterset_class(request.query_params, queryset, request=request)
        if not filterset.is_valid():
            raise ValidationError(filterset.errors)
        _reject_reversed(filterset)
        return filterset.qs

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The filters as OpenAPI parameters."""
        filterset_class = getattr(view, "filterset_class", None) or StrictFilterSet
        return [
            {
                "name": name,
                "in": "query",
                "schema": item.schema,
                "description": str(
                    item.extra.get("help_text")
                    or item.description
                    or f"Exactly this {name.replace('_', ' ')}."
                ),
            }
            for name, item in filterset_class.base_filters.items()
        ]


def unfiltered(queryset: QuerySet[Any], filterset_class: type[FilterSet]) -> QuerySet[Any]:
    """The rows of a list without filters: those that filters leave out by default (`is_active`) are
    left out."""
    filters = filterset_class.base_filters.values()
    return queryset.filter(*(item.default for item in filters if isinstance(item, ActiveFilter)))


def _reject_reversed(filterset: FilterSet) -> None:
    """Raises ValidationError for a range that ends before it begins."""
    values, zone = filterset.form.cleaned_data, filterset.business.zone
    for name, last in values.items():
        first = values.get(f"{name.removesuffix('_to')}_from")
        if not name.endswith("_to") or first is None or last is None:
            continue
        if _beginning(last, zone) < _beginning(first, zone):
            first_name = f"{name.removesuffix('_to')}_from"
            raise ValidationError({name: [f"It is before {first_name}."]})


def _beginning(value: Any, zone: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time(), zone)


# --- Values ------------------------------------------------------------------------------------


class _Field(forms.Field):
    """A form field that reads the raw text with one function; its ValueError is the message."""

    def __init__(self, *, read: Callable[[str], Any], **kwargs: Any) -> None:
        self.read = read
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if value is None:
            return None
        try:
            return self.read(str(value))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class ParsedFilter(django_filters.Filter):
    """`schema` and `description` are its parameter's in the OpenAPI document; `help_text` goes
    before the description."""

    field_class = _Field
    schema: Mapping[str, Any] = {"type": "string"}
    description: str = ""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs if value is None else self.narrow(qs, value)

    def narrow(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(**{f"{self.field_name}__{self.lookup_expr}": value})


def _read_id(text: str) -> int:
    number = parse_id(text)
    if number is None:
        raise ValueError("Write an id: a whole number from 1.")
    return number


class ChoicesFilter(ParsedFilter):
    """One of `choices`, or several with commas: `status=scheduled,completed`. `spellings` are other
    names of choices."""

    def __init__(
        self, choices: Sequence[str], *, spellings: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        self.choices = tuple(choices)
        self.spellings = dict(spellings or {})
        super().__init__(read=self._read, lookup_expr="in", **kwargs)

    @property
    def schema(self) -> Mapping[str, Any]:
        # A string: what clients made from arrays send (`a=1&a=2`) is not what we read.
        one = "|".join(re.escape(choice) for choice in (*self.choices, *self.spellings))
        return {
            "type": "string",
            "pattern": f"^(?:{one})(?:,(?:{one}))*$",
            "examples": [self.choices[0]],
            "x-choices": list(self.choices),
        }

    @property
    def description(self) -> str:
        return f"One or several with commas of: {', '.join(f'`{item}`' for item in self.choices)}."

    def _read(self, text: str) -> list[str]:
        values = [self.spellings.get(value, value) for value in text.split(",")]
        if not set(values) <= set(self.choices):
            raise ValueError(f"Choose of: {', '.join(self.choices)}; several with commas.")
        return sorted(values)


_ID_SCHEMA = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}


class IdFilter(ParsedFilter):
    """An id of ours; any number of the range."""

    schema = _ID_SCHEMA

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read=_read_id, **kwargs)


class TenantRelatedFilter(ParsedFilter):
    """The id of a row of the caller's own business; any other is an error that names it."""

    def __init__(self, rows: Callable[[], QuerySet[Any]], *, noun: str, **kwargs: Any) -> None:
        self.rows, self.noun = rows, noun
        super().__init__(read=_read_id, **kwargs)

    schema = _ID_SCHEMA

    @property
    def description(self) -> str:
        return f"Only of this {self.noun}."

    def narrow(self, qs: QuerySet[Any], value: int) -> QuerySet[Any]:
        if not self.rows().filter(business=self.parent.business, pk=value).exists():
            name = next(n for n, item in self.parent.filters.items() if item is self)
            raise ValidationError({name: [f"There is no {self.noun} with this id."]})
        return super().narrow(qs, value)


class TextFilter(ParsedFilter):
    """A text, compared by `lookup_expr`; at most `max_length` characters."""

    def __init__(
        self, read: Callable[[str], Any] | None = None, *, max_length: int = 200, **kwargs: Any
    ) -> None:
        self.schema = {"type": "string", "minLength": 1, "maxLength": max_length}
        super().__init__(read=read or partial(_read_text, max_length=max_length), **kwargs)


def _read_text(text: str, max_length: int) -> str:
    if not 1 <= len(text) <= max_length:
        raise ValueError(f"Write 1 to {max_length} characters.")
    return text


class SearchFilter(TextFilter):
    """Rows in which any of `fields` contains the text, whatever the case and accents. `column` is
    folded from them (`kaivox.db.folded_text`)."""

    def __init__(
        self, fields: Sequence[str], *, column: str = "search_text", **kwargs: Any
    ) -> None:
        self.fields = tuple(fields)
        self.column = column
        super().__init__(**kwargs)

    @property
    def description(self) -> str:
        names = [field.rpartition("__")[2].replace("_", " ") for field in self.fields]
        return f"Text anywhere in {', '.join(names)}, whatever the case and accents."

    def narrow(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        text = fold_for_search(value)
        # Nothing is left of invisible characters.
        return qs.filter(**{f"{self.column}__contains": text}) if text else qs.none()


class InstantFilter(ParsedFilter):
    """An instant with its offset, compared by `lookup_expr`."""

    schema = {
        "type": "string",
        "format": "date-time",
        "examples": ["2026-01-31T04:00:00Z"],
    }
    description = "ISO 8601 with an offset or `Z`."

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read=parse_instant, **kwargs)


class WholeNumberFilter(ParsedFilter):
    """A whole number from 0 to 2³¹−1, compared by `lookup_expr`."""

    schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read=_read_number, **kwargs)


def _read_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) >= 2**31:
        raise ValueError("Write a whole number from 0.")
    return int(text)


class LocalDayFilter(ParsedFilter):
    """Whole days in the business's time zone, half-open: `edge` is "on", "from" or "to"."""

    def __init__(self, edge: str, **kwargs: Any) -> None:
        self.edge = edge
        super().__init__(read=parse_date, **kwargs)

    schema = {"type": "string", "format": "date", "examples": ["2026-01-31"]}

    @property
    def description(self) -> str:
        text = {"on": "On this day", "from": "From this day on", "to": "Until the end of this day"}
        return f"{text[self.edge]} in the business's time zone."

    def narrow(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        zone = self.parent.business.zone
        begin = datetime.combine(value, time(), zone)
        end = datetime.combine(value + timedelta(days=1), time(), zone)
        name = self.field_name
        if self.edge in ("on", "from"):
            qs = qs.filter(**{f"{name}__gte": begin})
        if self.edge in ("on", "to"):
            qs = qs.filter(**{f"{name}__lt": end})
        return qs


class DateFilter(ParsedFilter):
    """A date, compared with a column of dates by `lookup_expr`."""

    schema = {"type": "string", "format": "date", "examples": ["2026-01-31"]}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read=parse_date, **kwargs)


class ActiveFilter(ParsedFilter):
    """`is_active=true|false|all`; active ones where the query does not say."""

    schema = {"type": "string", "enum": ["true", "false", "all"], "default": "true"}
    description = "Active ones, inactive ones, or both."

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read=_read_active, **kwargs)

    @property
    def default(self) -> Q:
        return Q(**{self.field_name: True})

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        if value == "all":
            return qs
        return qs.filter(**{self.field_name: value != "false"})


def _read_active(text: str) -> str:
    if text not in ("true", "false", "all"):
        raise ValueError("Write true, false or all.")
    return text


class UpdatedSinceFilter(InstantFilter):
    """Rows changed at or after the instant."""

    description = (
        "Changed at or after this instant. With `ordering=updated_at` and `cursor` it is the loop "
        "that updates a copy of the data."
    )

    def __init__(self) -> None:
        super().__init__(field_name="updated_at", lookup_expr="gte")


def day_filters(field_name: str) -> tuple[LocalDayFilter, LocalDayFilter, LocalDayFilter]:
    """`date`, `date_from`, `date_to` on an instant:

    `date, date_from, date_to = day_filters("start_time")` in the filter set's body.
    """
    return (
        LocalDayFilter("on", field_name=field_name),
        LocalDayFilter("from", field_name=field_name),
        LocalDayFilter("to", field_name=field_name),
    )
