"""The field types of our API, in and out. Strict in: a number is a number, an instant has an
offset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kaivox.api.prepared import Prepared

MAX_ID = 2**63 - 1

# Years that survive a shift of a day and a time zone in both databases.
FIRST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2200, 1, 1, tzinfo=UTC)

# Python reads any character between date and time, and more digits than ASCII has.
_INSTANT = re.compile(r"[0-9W-]{7,10}[T ][0-9:.,]{2,18} ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?")


def parse_id(text: str) -> int | None:
    """The id in a path or query, or None where it can be no id of ours."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if 1 <= number <= MAX_ID else None


def parse_instant(text: str) -> datetime:
    """ISO 8601 with an offset or `Z`, as UTC. Raises ValueError with a sentence for a person."""
    text = text.strip().upper()
    if not _INSTANT.fullmatch(text):
        raise ValueError("Write a date and time like 2026-01-31T09:30:00+05:30.")
    try:
        instant = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
    except ValueError as error:
        raise ValueError(f"Not a date and time: {error}.") from error
    if instant.tzinfo is None:
        raise ValueError("Add the offset, like 2026-01-31T09:30:00+05:30 or 2026-01-31T04:00:00Z.")
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        instant = LAST_INSTANT
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError("Only dates from 1900 to 2199 are known here.")
    return instant


def format_instant(instant: datetime) -> str:
    """UTC with `Z`, whole seconds: `2026-01-31T04:00:00Z`."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return f"{instant.isoformat()[:19]}Z"


class TextField(serializers.CharField):
    """A JSON string (DRF would take numbers too), trimmed."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


def _reads_text(field: serializers.Field) -> bool:
    """Whether the field's serializer reads a query string, where every value is text."""
    return bool(getattr(field.root, "reads_text", False))


class WholeNumberField(serializers.IntegerField):
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


class TruthField(serializers.BooleanField):
    """`true` or `false`: no "yes", no 1."""

    def to_internal_value(self, data: Any) -> bool:
        if _reads_text(self) and data in ("true", "false"):
            return bool(data == "true")
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class IdField(WholeNumberField):
    """1 … 2⁶³−1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **kwargs)


class InstantField(serializers.DateTimeField):
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
class OwnedField(serializers.Field):
    """An id in a body, of a row of the caller's own business.

    The validated value is the row of `model`, with the rows that it names `joined`. A foreign id, a
    gone one and one that never was are refused alike.
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
def _row_of(model: type[Model], joined: tuple[str, ...]) -> Prepared:
    """One row of a business."""

    def build(business_id: int, row_id: int) -> QuerySet[Any]:
        rows = model._default_manager.filter(business=business_id, pk=row_id)
        return rows.select_related(*joined) if joined else rows

    return Prepared(build)


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


_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class ClockField(TextField):
    """A wall time `HH:MM`."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not _CLOCK.fullmatch(text):
            raise serializers.ValidationError("Write a time as HH:MM, like 09:30.")
        return text


class LocalDateField(serializers.DateField):
    """A date `YYYY-MM-DD` of the years 1900 to 2199."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise serializers.ValidationError("Write a date as YYYY-MM-DD.")
        day = super().to_internal_value(value)
        if not FIRST_INSTANT.year <= day.year < LAST_INSTANT.year:
            raise serializers.ValidationError("Only dates from 1900 to 2199 are known here.")
        return day
