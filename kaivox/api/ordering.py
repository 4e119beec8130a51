"""The order of a list, and where in it a page ended.

A cursor names the last row of a page by value and id, not by count: rows that come, go or move in
between never make another row be skipped or told twice.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from rest_framework.serializers import ValidationError

from kaivox.api.fields import MAX_ID
from kaivox.api.parsers import has_unstorable


class _Row(Func):
    """`(column, id)`: SQL compares the pair at once, and an index on both is a seek."""

    function = ""
    output_field = Field()


@dataclass(frozen=True)
class Order:
    """One column, then the id, both in one direction. Nulls come last."""

    name: str
    descending: bool
    nullable: bool

    @classmethod
    def parse(cls, text: str, model: type[Model]) -> Order:
        name = text.removeprefix("-")
        return cls(name, text.startswith("-"), bool(model._meta.get_field(name).null))

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def apply(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        # Only a nullable column needs it said: with it an ordinary index would not serve.
        nulls: dict[str, Any] = {"nulls_last": True} if self.nullable else {}
        column = F(self.name).desc(**nulls) if self.descending else F(self.name).asc(**nulls)
        return rows.order_by(column, "-id" if self.descending else "id")

    def after(self, rows: QuerySet[Any], value: Any, row_id: int) -> QuerySet[Any]:
        """The rows that come after (value, row_id) in this order."""
        beyond = "lt" if self.descending else "gt"
        if value is None:
            return rows.filter(**{f"{self.name}__isnull": True, f"id__{beyond}": row_id})
        if self.nullable:
            same_later = Q(**{self.name: value, f"id__{beyond}": row_id})
            later = Q(**{f"{self.name}__{beyond}": value})
            return rows.filter(later | same_later | Q(**{f"{self.name}__isnull": True}))
        field = rows.model._meta.get_field(self.name)
        here = _Row(Value(value, output_field=field), Value(row_id))
        compare = LessThan if self.descending else GreaterThan
        return rows.filter(compare(_Row(F(self.name), F("id")), here))


def cursor_of(row: Any, order: Order) -> str:
    """The token for "after `row`". It tells nothing that the row does not."""
    value = getattr(row, order.name)
    if isinstance(value, datetime):
        value = value.isoformat()
    text = json.dumps([str(order), value, row.pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(token: str, order: Order, model: type[Model]) -> tuple[Any, int]:
    """The value and id where the page before ended. Raises ValidationError for a token not ours."""
    try:
        padded = token + "=" * (-len(token) % 4)
        text, value, row_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        value = _column_value(value, model._meta.get_field(order.name))
        if type(row_id) is not int or not 1 <= row_id <= MAX_ID or not isinstance(text, str):
            raise ValueError("That is no id.")
    except Exception as error:
        raise ValidationError({"cursor": ["This cursor is not one of ours."]}) from error
    if text != str(order):
        raise ValidationError({"cursor": [f"This cursor belongs to ordering={text[:60]}."]})
    return value, row_id


def _column_value(value: Any, field: Any) -> Any:
    """`value` as the column holds it. Raises where it could not stand there."""
    if value is None:
        if not field.null:
            raise ValueError("The column is never null.")
        return None
    if isinstance(value, str) and has_unstorable(value):
        raise ValueError("No column holds this text.")
    value = field.to_python(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("An instant has an offset.")
    for check in field.validators:
        check(value)
    return value
