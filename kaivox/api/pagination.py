"""Pages by number, and by cursor (keyset): `?page=&per_page=` or `?cursor=&per_page=`."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.responses import Answer

PER_PAGE = 20
MAX_PER_PAGE = 100
MAX_PAGE = 10_000_000

PARAMETERS = frozenset({"page", "per_page", "cursor", "ordering"})


@dataclass(frozen=True)
class Order:
    """The order of a list: one column, then the id, both in one direction. Nulls come last."""

    name: str
    descending: bool
    nullable: bool

    @classmethod
    def parse(cls, text: str, model: Any) -> Order:
        name = text.removeprefix("-")
        return cls(name, text.startswith("-"), model._meta.get_field(name).null)

    def __str__(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def apply(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        # Only a nullable column needs it said: with it an ordinary index would not serve.
        nulls = {"nulls_last": True} if self.nullable else {}
        column = F(self.name).desc(**nulls) if self.descending else F(self.name).asc(**nulls)
        return rows.order_by(column, "-id" if self.descending else "id")

    def after(self, rows: QuerySet[Any], value: Any, row_id: int) -> QuerySet[Any]:
        """The rows that come after (value, row_id) in this order."""
        beyond = "lt" if self.descending else "gt"
        same_later = Q(**{self.name: value, f"id__{beyond}": row_id})
        if value is None:
            return rows.filter(**{f"{self.name}__isnull": True, f"id__{beyond}": row_id})
        later = Q(**{f"{self.name}__{beyond}": value}) | same_later
        if self.nullable:
            return rows.filter(later | Q(**{f"{self.name}__isnull": True}))
        # The first half is implied by the second; it is what an index on the column can use.
        return rows.filter(**{f"{self.name}__{beyond}e": value}).filter(later)


class Pages(BasePagination):
    """`meta`: `page`, `per_page`, `total`, `total_pages`, `next_cursor`.

    With a cursor the first, third and fourth are null. A page past the end is empty, no error.
    """

    meta: dict[str, Any]

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> Sequence[Any]:
        query = request.query_params
        order = self._order(query.get("ordering"), view)
        size = _number(query, "per_page", default=PER_PAGE, most=MAX_PER_PAGE)
        if "cursor" in query:
            if "page" in query:
                raise ValidationError({"page": ["Give either page or cursor, not both."]})
            rows = order.apply(queryset)
            token = query["cursor"]
            if token:
                rows = order.after(rows, *_decode(token, order, queryset.model))
            found = list(rows[: size + 1])
            page, more = found[:size], len(found) > size
            self.meta = {"page": None, "per_page": size, "total": None, "total_pages": None}
        else:
            number = _number(query, "page", default=1, most=MAX_PAGE)
            total = queryset.count()
            start = (number - 1) * size
            page = list(order.apply(queryset)[start : start + size]) if start < total else []
            more = start + len(page) < total and bool(page)
            self.meta = {
                "page": number,
                "per_page": size,
                "total": total,
                "total_pages": -(-total // size),
            }
        self.meta["next_cursor"] = _encode(order, page[-1]) if more else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Answer(data, meta=self.meta)

    @staticmethod
    def _order(text: str | None, view: Any) -> Order:
        text = text if text is not None else view.ordering
        if text.removeprefix("-") not in view.ordering_fields:
            known = ", ".join(view.ordering_fields)
            raise ValidationError(
                {"ordering": [f"Order by one of: {known}; with - in front for the reverse."]}
            )
        return Order.parse(text, view.queryset.model)


def _number(query: Any, name: str, *, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= most:
        raise ValidationError({name: [f"Write a whole number from 1 to {most}."]})
    return int(text)


def _encode(order: Order, row: Any) -> str:
    value = getattr(row, order.name)
    if isinstance(value, datetime):
        value = value.isoformat()
    text = json.dumps([str(order), value, row.pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(token: str, order: Order, model: Any) -> tuple[Any, int]:
    """The value and id where the page before ended. Raises ValidationError for a token not ours."""
    try:
        padded = token + "=" * (-len(token) % 4)
        text, value, row_id = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if value is not None:
            value = model._meta.get_field(order.name).to_python(value)
        if not isinstance(row_id, int):
            raise ValueError("An id is a number.")
    except Exception as error:
        raise ValidationError({"cursor": ["This cursor is not one of ours."]}) from error
    if text != str(order):
        raise ValidationError({"cursor": [f"This cursor belongs to ordering={text}."]})
    return value, row_id
