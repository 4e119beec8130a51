"""A whole list in one request, as CSV or NDJSON, in constant memory.

Rows are read in chunks by cursor, each chunk a query of its own: no transaction and no cursor of
the database stays open while a slow client reads, and the memory is that of one chunk.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from kaivox.api.columns import Form
from kaivox.api.encoding import encode_as_text
from kaivox.api.ordering import Order
from kaivox.api.renderers import CsvRenderer, NdjsonRenderer, StreamedRenderer

CHUNK: Final = 1000

# Spreadsheets run what begins so.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

Rows = Iterable[tuple[Any, ...]]


def refuse_pages(request: Request) -> None:
    """Raises ValidationError: the whole list has no pages."""
    given = [name for name in ("page", "per_page", "cursor") if name in request.query_params]
    if given:
        raise ValidationError(
            {name: ["CSV and NDJSON are the whole list: leave this out."] for name in given}
        )


def stream(
    rows: QuerySet[Any], order: Order, view: Any, renderer: StreamedRenderer
) -> StreamingHttpResponse:
    """All of `rows` in `order`, as `view` shows them, in the form of `renderer`."""
    write, form = _WRITERS[type(renderer)], _FORMS[type(renderer)]
    lines = write(chunks(rows, order, view, form), list(view.serializer_class._declared_fields))
    response = StreamingHttpResponse(lines, content_type=_CONTENT_TYPES[type(renderer)])
    name = view.request.path.rstrip("/").rpartition("/")[2]
    response["Content-Disposition"] = f'attachment; filename="{name}.{renderer.format}"'
    return response


def chunks(
    rows: QuerySet[Any], order: Order, view: Any, form: Form, size: int = CHUNK
) -> Iterator[Rows]:
    """`rows` in `order`, `size` at a time, written in `form`."""
    rest = order.apply(rows)
    while True:
        piece = view.reading.piece(rest[:size], order.name, view.business, form)
        if piece.last is None:
            return
        yield piece.rows
        if piece.count < size:
            return
        rest = order.after(order.apply(rows), *piece.last)


def _ndjson(chunks_of_rows: Iterable[Rows], names: list[str]) -> Iterator[bytes]:
    fields = ",".join(f"{encode_as_text(name)}:%s" for name in names)
    line = "{" + fields + "}\n"
    for rows in chunks_of_rows:
        yield "".join(map(line.__mod__, rows)).encode()


def _csv(chunks_of_rows: Iterable[Rows], names: list[str]) -> Iterator[bytes]:
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(names)
    for rows in chunks_of_rows:
        writer.writerows(rows)
        yield lines.take()
    yield lines.take()


class _Lines(list[str]):
    """Where csv writes: `take` gives what has come together."""

    write = list.append

    def take(self) -> bytes:
        text = "".join(self)
        self.clear()
        return text.encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return encode_as_text(value)


_WRITERS: Final[dict[type, Callable[[Iterable[Rows], list[str]], Iterator[bytes]]]] = {
    CsvRenderer: _csv,
    NdjsonRenderer: _ndjson,
}
_FORMS: Final[dict[type, Form]] = {
    CsvRenderer: Form(_cell, None),
    NdjsonRenderer: Form(encode_as_text, "null"),
}
_CONTENT_TYPES: Final = {
    CsvRenderer: "text/csv; charset=utf-8; header=present",
    NdjsonRenderer: "application/x-ndjson",
}
