"""Serializer fields of the API. They are strict on input: `"5"` is no number, and an instant has an
offset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kaivox.api.values import (
    DAY_MINUTES,
    MAX_ID,
    check_name,
    parse_date,
    parse_instant,
    parse_wall_time,
)
from kaivox.db.compiled_query import CompiledQuery


def format_instant(instant: datetime) -> str:
    """UTC with `Z`, whole seconds: `2026-01-31T04:00:00Z`."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return f"{instant.isoformat()[:19]}Z"


class StrictCharField(serializers.CharField):
    """A JSON string (DRF would take numbers too), trimmed."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


def _reads_text(field: serializers.Field) -> bool:
    """Whether the field's serializer reads a query string, where every value is text."""
    return bool(getattr(field.root, "reads_text", False))


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer: no string, no `true`, no fraction. In a query: its digits.

    Without limits of its own it holds what an integer column holds: SQLite would take more.
    """

    def __init__(self, **kwargs: Any) -> None:
        limits = {"min_value": -(2**31), "max_value": 2**31 - 1}
        super().__init__(**(limits | kwargs))

    def to_internal_value(self, data: Any) -> int:
        if _reads_text(self) and isinstance(data, str) and re.fullmatch(r"-?\d{1,19}", data, re.A):
            return int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`: no "yes", no 1."""

    def to_internal_value(self, data: Any) -> bool:
        if _reads_text(self) and data in ("true", "false"):
            return bool(data == "true")
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


_PRICE = re.compile(r"\d{1,10}(\.\d{1,10})?", re.ASCII)


@extend_schema_field({"type": "string", "pattern": r"^\d{1,8}(?:\.\d{1,2})?$"})
class PriceField(serializers.DecimalField):
    """An amount of money that is not negative, as a string: `"12.50"`. Many languages round JSON numbers."""

    default_error_messages = {"invalid": 'Send a decimal number as a string, such as "12.50".'}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"min_value": Decimal(0)} | kwargs))

    def to_internal_value(self, data: Any) -> Decimal:
        # Decimal() itself would read numbers, digits of other scripts, `1_000` and `1e3`.
        if not (isinstance(data, str) and _PRICE.fullmatch(data.strip())):
            self.fail("invalid")
        return Decimal(super().to_internal_value(data))


class IdField(StrictIntegerField):
    """1 … 2⁶³−1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **kwargs)


class UtcDateTimeField(serializers.DateTimeField):
    """In: ISO 8601 with an offset. Out: UTC, `Z`, whole seconds."""

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            raise serializers.ValidationError("Write a date and time as text, in ISO 8601.")
        try:
            return parse_instant(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error

    def to_representation(self, value: datetime) -> str:
        return format_instant(value)


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID})
class TenantRelatedField(serializers.Field):
    """An id in a body, of a row of the caller's own business.

    The validated value is the row of `model`, with the rows that it names `joined`. A foreign id, a
    gone one and one that never was are rejected alike.
    """

    def __init__(self, model: type[Model], *joined: str, noun: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.joined = joined
        self.noun = noun

    def to_internal_value(self, data: Any) -> Model:
        id_field = IdField()
        id_field.bind(self.field_name or "id", self.parent)
        number = id_field.run_validation(data)
        business_id = self.context["business"].pk
        row: Model | None = _row_of(self.model, self.joined).first(
            business_id=business_id, row_id=number
        )
        if row is None:
            raise serializers.ValidationError(f"There is no {self.noun} with this id.")
        return row

    def to_representation(self, value: Any) -> int:
        return int(value.pk)


@cache
def _row_of(model: type[Model], joined: tuple[str, ...]) -> CompiledQuery:
    """One row of a business."""

    def build(business_id: int, row_id: int) -> QuerySet[Any]:
        rows = model._default_manager.filter(business=business_id, pk=row_id)
        return rows.select_related(*joined) if joined else rows

    return CompiledQuery(build)


class BoundedListField(serializers.ListField):
    """A list of at most `max_length` items, counted before any of them is validated."""

    default_error_messages = {"not_a_list": "Send a list, like [{example}]."}

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        self.most = max_length
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            shown = data[:60] if isinstance(data, str) else "…"
            self.fail("not_a_list", example=f'"{shown}"')
        if len(data) > self.most:
            self.fail("max_length", max_length=self.most)
        return list(super().to_internal_value(data))


_MAX_PAIRS, _MAX_KEY, _MAX_VALUE = 50, 40, 500


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": _MAX_VALUE},
        "propertyNames": {"minLength": 1, "maxLength": _MAX_KEY},
        "maxProperties": _MAX_PAIRS,
    }
)
class MetadataField(serializers.Field):
    """Up to 50 pairs of strings of the caller's own: keys ≤ 40, values ≤ 500 characters."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Write an object of strings.")
        if len(data) > _MAX_PAIRS:
            raise serializers.ValidationError(f"At most {_MAX_PAIRS} pairs.")
        for key, value in data.items():
            if not 1 <= len(key) <= _MAX_KEY:
                raise serializers.ValidationError(f"A key has 1 to {_MAX_KEY} characters.")
            if not isinstance(value, str) or len(value) > _MAX_VALUE:
                raise serializers.ValidationError(
                    f"The value of {key!r} must be a string of at most {_MAX_VALUE} characters."
                )
        return dict(data)

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return value


class WallTimeField(StrictCharField):
    """A wall time `HH:MM` of a day, as text with two digits each."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            minute = parse_wall_time(text)
        except ValueError as error:
            raise serializers.ValidationError("Write a time as HH:MM, like 09:30.") from error
        if minute == DAY_MINUTES:
            raise serializers.ValidationError("24:00 is 00:00 of the next day. Write that.")
        return f"{minute // 60:02}:{minute % 60:02}"


class LocalDateField(serializers.DateField):
    """A date `YYYY-MM-DD` of the years 1900 to 2199."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise serializers.ValidationError("Write a date as YYYY-MM-DD.")
        try:
            return parse_date(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class NameField(StrictCharField):
    """Text that can be shown as a name: visible, without control characters."""

    def to_internal_value(self, data: Any) -> str:
        try:
            text = super().to_internal_value(data)
            return check_name(text) if text else text
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error
