"""A whole list in one request, as CSV or NDJSON, in constant memory.

Rows are read in chunks by cursor, each chunk a query of its own: no transaction and no cursor of
the database stays open while a slow client reads, and the memory is that of one chunk.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from kaivox.api.encoders import encode_as_text
from kaivox.api.export.columnar import CellEncoder
from kaivox.api.filters import ALWAYS_ALLOWED
from kaivox.api.ordering import KeysetOrdering
from kaivox.api.pagination import PARAMETERS
from kaivox.api.renderers import CsvRenderer, NdjsonRenderer, StreamedRenderer
from kaivox.api.streams import LimitedStream
from kaivox.registry import Registry

CHUNK: Final = 250

# Spreadsheets evaluate a cell that begins with one of these.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where `;` separates cells, as in much of Europe, so does one inside of a text.
_INNER_FORMULA: Final = re.compile("([;\t\r\n]\\s*)(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
# A phone number is no formula, and escaped it would equal no number of the API.
_E164: Final = re.compile(r"\+\d{6,15}", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

Rows = Iterable[tuple[Any, ...]]

# Functions `(*, business, actor, resource, filters, now)` that record each export.
export_log: Final[Registry[Callable[..., object]]] = Registry("log of exports")


def reject_page_parameters(request: Request) -> None:
    """Raises ValidationError where the query asks for a page: an export is always the whole list."""
    sent = [name for name in ("page", "per_page", "cursor") if name in request.query_params]
    if sent:
        raise ValidationError(
            {name: ["CSV and NDJSON are the whole list: leave this out."] for name in sent}
        )


def stream(
    rows: QuerySet[Any], order: KeysetOrdering, view: Any, renderer: StreamedRenderer
) -> StreamingHttpResponse:
    """All of `rows` in `order`, as `view` shows them, in the media type of `renderer`.

    Raises TooManyStreams.
    """
    write, form = _WRITERS[type(renderer)], _FORMS[type(renderer)]
    if wants_excel(view.request, renderer):
        write, form = _excel, CellEncoder(_excel_cell(view.business.zone), None)
    name = view.request.path.rstrip("/").rpartition("/")[2]
    lines: LimitedStream | tuple[()] = ()
    if view.request.method != "HEAD":
        columns = list(view.serializer_class._declared_fields)
        lines = LimitedStream(view.business.pk, write(chunks(rows, order, view, form), columns))
        try:
            _record(view, f"{name}.{renderer.format}")
        except BaseException:
            lines.close()
            raise
    response = StreamingHttpResponse(lines, content_type=_CONTENT_TYPES[type(renderer)])
    response["Content-Disposition"] = f'attachment; filename="{name}.{renderer.format}"'
    return response


def _record(view: Any, resource: str) -> None:
    filters = sorted(view.request.query_params.keys() - PARAMETERS - ALWAYS_ALLOWED)
    for record in export_log.all():
        record(
            business=view.business,
            actor=view.actor,
            resource=resource,
            filters=filters,
            now=timezone.now(),
        )


def export_of(row: Mapping[str, Any], media_type: str) -> str:
    """The export, in `text/csv` or `application/x-ndjson`, of a list that has only `row`."""
    [renderer] = [one for one in _WRITERS if one.media_type == media_type]
    form = _FORMS[renderer]
    cells = tuple(form.null if value is None else form.cell(value) for value in row.values())
    return b"".join(_WRITERS[renderer]([[cells]], list(row))).decode()


def wants_excel(request: Request, renderer: StreamedRenderer) -> bool:
    """Whether the query has `excel=1`. Raises ValidationError for another value or format."""
    value = request.query_params.get("excel")
    if value is None:
        return False
    if value != "1":
        raise ValidationError({"excel": ["Write 1, or leave it out."]})
    if not isinstance(renderer, CsvRenderer):
        raise ValidationError({"excel": ["Only CSV has it: send format=csv too."]})
    return True


def chunks(
    rows: QuerySet[Any], order: KeysetOrdering, view: Any, form: CellEncoder, size: int = CHUNK
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


def _excel(chunks_of_rows: Iterable[Rows], names: list[str]) -> Iterator[bytes]:
    # Without a byte order mark Excel reads the file in the code page of the computer.
    yield codecs.BOM_UTF8
    yield from _csv(chunks_of_rows, names)


class _Lines(list[str]):
    """A file for `csv.writer`; `take` returns and removes what was written so far."""

    write = list.append

    def take(self) -> bytes:
        text = "".join(self)
        self.clear()
        return text.encode()


def escape_formula(text: str) -> str:
    """`text` for a CSV cell, with a quote where a spreadsheet would run it as a formula."""
    text = _INNER_FORMULA.sub("\\1'", text)
    return f"'{text}" if text.startswith(_FORMULA) and not _E164.fullmatch(text) else text


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return escape_formula(value if isinstance(value, str) else encode_as_text(value))


def _excel_cell(zone: tzinfo) -> Callable[[Any], Any]:
    def cell(value: Any) -> Any:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return f"{datetime.fromisoformat(value).astimezone(zone):%Y-%m-%d %H:%M:%S}"
        return _cell(value)

    return cell


_WRITERS: Final[
    dict[type[StreamedRenderer], Callable[[Iterable[Rows], list[str]], Iterator[bytes]]]
] = {
    CsvRenderer: _csv,
    NdjsonRenderer: _ndjson,
}
_FORMS: Final[dict[type, CellEncoder]] = {
    CsvRenderer: CellEncoder(_cell, None),
    NdjsonRenderer: CellEncoder(encode_as_text, "null"),
}
_CONTENT_TYPES: Final = {
    CsvRenderer: "text/csv; charset=utf-8; header=present",
    NdjsonRenderer: "application/x-ndjson",
}
