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

from kaivox.api.encoding import encode
from kaivox.api.ordering import Order
from kaivox.api.reading import Reading
from kaivox.api.renderers import CsvRenderer, NdjsonRenderer, StreamedRenderer

CHUNK: Final = 1000

# Spreadsheets run what begins so.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

Rows = Iterable[dict[str, Any]]


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
    business = view.business
    shown = (view.reading.render(some, business) for some in chunks(rows, order, view.reading))
    lines = _WRITERS[type(renderer)](shown, list(view.serializer_class._declared_fields))
    response = StreamingHttpResponse(lines, content_type=_CONTENT_TYPES[type(renderer)])
    name = view.request.path.rstrip("/").rpartition("/")[2]
    response["Content-Disposition"] = f'attachment; filename="{name}.{renderer.format}"'
    return response


def chunks(
    rows: QuerySet[Any], order: Order, reading: Reading, size: int = CHUNK
) -> Iterator[list[Any]]:
    """`rows` in `order`, `size` at a time."""
    rest = order.apply(rows)
    while True:
        chunk = list(reading.rows(rest, order.name)[:size])
        if chunk:
            yield chunk
        if len(chunk) < size:
            return
        last = chunk[-1]
        rest = order.after(order.apply(rows), getattr(last, order.name), last.pk)


def _ndjson(chunks_of_rows: Iterable[Rows], names: list[str]) -> Iterator[bytes]:
    for rows in chunks_of_rows:
        yield b"".join(encode(row) + b"\n" for row in rows)


def _csv(chunks_of_rows: Iterable[Rows], names: list[str]) -> Iterator[bytes]:
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(names)
    for rows in chunks_of_rows:
        writer.writerows([_cell(value) for value in row.values()] for row in rows)
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
    return encode(value).decode()


_WRITERS: Final[dict[type, Callable[[Iterable[Rows], list[str]], Iterator[bytes]]]] = {
    CsvRenderer: _csv,
    NdjsonRenderer: _ndjson,
}
_CONTENT_TYPES: Final = {
    CsvRenderer: "text/csv; charset=utf-8; header=present",
    NdjsonRenderer: "application/x-ndjson",
}
