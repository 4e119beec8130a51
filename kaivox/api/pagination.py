"""Pages by number, and by cursor (keyset): `?page=&per_page=` or `?cursor=&per_page=`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.collection_version import Total
from kaivox.api.ordering import KeysetOrdering, cursor_of, position_of
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.values import MAX_ID, parse_id

PER_PAGE: Final = 20
MAX_PER_PAGE: Final = 100

# A list that is too large to count is read by page number up to here, beyond it by cursor.
_MAX_OFFSET: Final = 10_000

PARAMETERS: Final = frozenset({"page", "per_page", "cursor", "ordering", "excel"})


class PageOrCursorPagination(BasePagination):
    """`meta`: `page`, `per_page`, `total`, `total_pages`, `next_cursor`.

    With a cursor the first, third and fourth are null; an empty one begins at the start. A page
    past the end is empty, no error. `total` is exact or null; where the rows are too many to count,
    `total_at_least` is set beside the null.
    """

    meta: dict[str, Any]
    _request: Request
    _read: Callable[[QuerySet[Any], KeysetOrdering, int, int], Sequence[Any]]
    _count: Callable[[QuerySet[Any]], Total]

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> Sequence[Any]:
        self._request = request
        query = request.query_params
        order = order_of(query, view)
        size = _number(query, "per_page", default=PER_PAGE, most=MAX_PER_PAGE)
        self._read = view.read_rows
        self._count = view.count
        if "cursor" not in query:
            return self._by_number(queryset, order, size, query)
        if "page" in query:
            raise ValidationError({"page": ["Send either page or cursor, not both."]})
        return self._by_cursor(queryset, order, size, query["cursor"])

    def get_paginated_response(self, data: Any) -> Response:
        response = EnvelopeResponse(data, meta=self.meta)
        response.links = [
            f'<{self._url(**target)}>; rel="{rel}"' for rel, target in self._targets()
        ]
        return response

    def _targets(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the pages around this one have in their query.

        The next one is named by number only where this one was: a client that follows the links from
        the start gets cursors, so that changes in between make it miss or repeat no row.
        """
        number, cursor = self.meta["page"], self.meta["next_cursor"]
        by_number = "page" in self._request.query_params
        # Page numbers of a list that is too large to count end at the largest OFFSET.
        in_reach = (number or 0) * self.meta["per_page"] <= _MAX_OFFSET
        if cursor and by_number and (self.meta["total"] is not None or in_reach):
            yield "next", {"page": number + 1}
        elif cursor:
            yield "next", {"cursor": cursor}
        if by_number and number > 1:
            yield "prev", {"page": min(number - 1, self.meta["total_pages"] or number - 1)}
        if by_number:
            yield "first", {"page": 1}

    def _url(self, **target: Any) -> str:
        """This request's URL with another position. It never has a key: `query_keys` removed it."""
        sent = self._request.query_params.dict()  # none was sent more than once
        others = {name: value for name, value in sent.items() if name not in ("page", "cursor")}
        query = urlencode(others | target)
        return self._request.build_absolute_uri(f"{self._request.path}?{query}")

    def _by_number(
        self, rows: QuerySet[Any], order: KeysetOrdering, size: int, query: Mapping[str, str]
    ) -> Sequence[Any]:
        number = _number(query, "page", default=1, most=MAX_ID)
        start = (number - 1) * size
        total, page = self._count_and_read(rows, order, start, size)
        count, exact = total
        more = bool(page) and (start + len(page) < count if exact else len(page) == size)
        self.meta = {
            "page": number,
            "per_page": size,
            "total": count if exact else None,
            **({} if exact else {"total_at_least": count}),
            "total_pages": -(-count // size) if exact else None,
            "next_cursor": cursor_of(page[-1], order) if more else None,
        }
        return page

    def _count_and_read(
        self, rows: QuerySet[Any], order: KeysetOrdering, start: int, size: int
    ) -> tuple[Total, Sequence[Any]]:
        if start == 0:
            page = self._read(rows, order, 0, size)
            # A first page that is not full is the whole list, and its length the total.
            return (self._count(rows) if len(page) == size else Total(len(page))), page
        total = self._count(rows)
        # No query past the end: OFFSET cannot hold the largest page numbers that we allow.
        beyond = not total.is_exact and start <= _MAX_OFFSET
        if start >= total.number and not beyond:
            return total, ()
        return total, self._read(rows, order, start, start + size)

    def _by_cursor(
        self, rows: QuerySet[Any], order: KeysetOrdering, size: int, token: str
    ) -> Sequence[Any]:
        if token:
            rows = order.after(rows, *position_of(token, order, rows.model))
        found = self._read(rows, order, 0, size + 1)
        page = found[:size]
        self.meta = {
            "page": None,
            "per_page": size,
            "total": None,
            "total_pages": None,
            "next_cursor": cursor_of(page[-1], order) if len(found) > size else None,
        }
        return page


def order_of(query: Mapping[str, str], view: Any) -> KeysetOrdering:
    """The order that the query asks for, else the view's own. Raises ValidationError."""
    text = query.get("ordering", view.ordering)
    if text.removeprefix("-") not in view.ordering_fields:
        known = ", ".join(view.ordering_fields)
        raise ValidationError(
            {"ordering": [f"Order by one of: {known}; with - in front for the reverse."]}
        )
    return KeysetOrdering.parse(text, view.queryset.model)


def _number(query: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    number = parse_id(text)
    if number is None or number > most:
        raise ValidationError({name: [f"Write a whole number from 1 to {most}."]})
    return number
