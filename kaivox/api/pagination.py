"""Pages by number, and by cursor (keyset): `?page=&per_page=` or `?cursor=&per_page=`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.fields import MAX_ID, parse_id
from kaivox.api.ordering import Order, cursor_of, position_of
from kaivox.api.responses import Answer

PER_PAGE: Final = 20
MAX_PER_PAGE: Final = 100

PARAMETERS: Final = frozenset({"page", "per_page", "cursor", "ordering"})


class Pages(BasePagination):
    """`meta`: `page`, `per_page`, `total`, `total_pages`, `next_cursor`.

    With a cursor the first, third and fourth are null; an empty one begins at the start. A page
    past the end is empty, no error.
    """

    meta: dict[str, Any]
    _read: Callable[..., QuerySet[Any]]
    _count: Callable[[QuerySet[Any]], int]

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> Sequence[Any]:
        query = request.query_params
        order = order_of(query, view)
        size = _number(query, "per_page", default=PER_PAGE, most=MAX_PER_PAGE)
        self._read = view.reading.rows
        self._count = view.count
        if "cursor" not in query:
            return self._by_number(order.apply(queryset), order, size, query)
        if "page" in query:
            raise ValidationError({"page": ["Give either page or cursor, not both."]})
        return self._by_cursor(order.apply(queryset), order, size, query["cursor"])

    def get_paginated_response(self, data: Any) -> Response:
        return Answer(data, meta=self.meta)

    def _by_number(
        self, rows: QuerySet[Any], order: Order, size: int, query: Mapping[str, str]
    ) -> Sequence[Any]:
        number = _number(query, "page", default=1, most=MAX_ID)
        total, page = self._count_and_read(rows, order, (number - 1) * size, size)
        more = bool(page) and (number - 1) * size + len(page) < total
        self.meta = {
            "page": number,
            "per_page": size,
            "total": total,
            "total_pages": -(-total // size),
            "next_cursor": cursor_of(page[-1], order) if more else None,
        }
        return page

    def _count_and_read(
        self, rows: QuerySet[Any], order: Order, start: int, size: int
    ) -> tuple[int, list[Any]]:
        if start == 0:
            page = list(self._read(rows, order.name)[:size])
            # A first page that is not full is the whole list, and its length the total.
            return (self._count(rows) if len(page) == size else len(page)), page
        total = self._count(rows)
        # Past the end nothing is asked: OFFSET has no room for the page numbers that we allow.
        wanted = self._read(rows, order.name)[start : start + size] if start < total else ()
        return total, list(wanted)

    def _by_cursor(self, rows: QuerySet[Any], order: Order, size: int, token: str) -> Sequence[Any]:
        if token:
            rows = order.after(rows, *position_of(token, order, rows.model))
        found = list(self._read(rows, order.name)[: size + 1])
        page = found[:size]
        self.meta = {
            "page": None,
            "per_page": size,
            "total": None,
            "total_pages": None,
            "next_cursor": cursor_of(page[-1], order) if len(found) > size else None,
        }
        return page


def order_of(query: Mapping[str, str], view: Any) -> Order:
    """The order that the query asks for, else the view's own. Raises ValidationError."""
    text = query.get("ordering", view.ordering)
    if text.removeprefix("-") not in view.ordering_fields:
        known = ", ".join(view.ordering_fields)
        raise ValidationError(
            {"ordering": [f"Order by one of: {known}; with - in front for the reverse."]}
        )
    return Order.parse(text, view.queryset.model)


def _number(query: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    number = parse_id(text)
    if number is None or number > most:
        raise ValidationError({name: [f"Write a whole number from 1 to {most}."]})
    return number
