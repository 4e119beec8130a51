"""Encodes a chunk of a list column by column, from the rows as the driver returns them.

A million rows make twenty million cells, and row by row each costs several Python calls. Here each
distinct value of a column is encoded once, and the rest runs in C. Instants stay the text that
PostgreSQL sends: parsing them and formatting them again took half of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import DateTimeField, Field, ForeignKey, IntegerField, QuerySet
from psycopg.types.string import TextLoader
from rest_framework import serializers

from kaivox.api.serializers import Reader

Column = Sequence[Any]
Convert = Callable[[Any], Any]


class FieldSpec(NamedTuple):
    """One field of a flat serializer: of a row `read` makes what is shown, from its `columns`;
    `convert` makes it of the value alone where there is one column and no method."""

    name: str
    read: Reader
    columns: Sequence[str]
    field: Any = None
    convert: Convert | None = None


@dataclass(frozen=True, slots=True)
class CellEncoder:
    """How a cell is written: `cell` takes any JSON-ready value, `null` is what None becomes."""

    cell: Convert
    null: Any


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows as tuples of written cells, how many they are, and where they ended."""

    rows: Iterable[tuple[Any, ...]]
    count: int
    last: tuple[Any, int] | None


def read_chunk(
    rows: QuerySet[Any],
    names: Sequence[str],
    parts: Sequence[FieldSpec],
    ordered_by: str,
    business: Any,
    form: CellEncoder,
) -> Chunk:
    """`rows` is a `values_list` of `names`, among them `ordered_by` and `pk`."""
    found, sources = _fetch(rows)
    if not found:
        return Chunk((), 0, None)
    columns = dict(zip(names, zip(*found, strict=True), strict=False))
    by_name = dict(zip(names, sources, strict=False))
    python = {name: _python_of(source) for name, source in by_name.items()}
    table = ColumnarChunk(columns, by_name, python, business, form)
    last = (python[ordered_by](columns[ordered_by][-1]), columns["pk"][-1])
    return Chunk(zip(*map(table.written, parts), strict=True), len(found), last)


class ColumnSource(NamedTuple):
    """The model's field behind a column, and what Django does to its values."""

    field: Field[Any, Any]
    converters: Sequence[Callable[..., Any]]
    expression: Any


@dataclass(frozen=True, slots=True)
class ColumnarChunk:
    columns: Mapping[str, Column]
    sources: dict[str, ColumnSource]
    python: dict[str, Convert]
    business: Any
    form: CellEncoder

    def written(self, part: FieldSpec) -> Iterable[Any]:
        if not part.columns:
            shown = part.read(SimpleNamespace(business=self.business))
            return repeat(self.form.cell(shown), len(self.columns["pk"]))
        if part.convert is None:
            return self._by_method(part)
        name = part.columns[0]
        column, source = self.columns[name], self.sources[name]
        if _is_number(source, part):
            return map({None: self.form.null}.get, column, column)
        if _stays_text(source) and isinstance(part.field, serializers.DateTimeField):
            return _each_once(_show_instant, column, self.form)
        python, convert = self.python[name], part.convert
        return _each_once(lambda value: convert(python(value)), column, self.form)

    def _by_method(self, part: FieldSpec) -> Iterable[Any]:
        names = part.columns
        converts = [self.python[name] for name in names]

        def show(values: tuple[Any, ...]) -> Any:
            row = SimpleNamespace(business=self.business)
            for name, convert, value in zip(names, converts, values, strict=True):
                setattr(row, name, convert(value))
            return part.read(row)

        together = list(zip(*(self.columns[name] for name in names), strict=True))
        return _each_once(show, together, self.form)


def _each_once(show: Convert, column: Column, form: CellEncoder) -> Iterator[Any]:
    known = {value: form.cell(show(value)) for value in set(column)}
    return map(known.__getitem__, column)


def _is_number(source: ColumnSource, part: FieldSpec) -> bool:
    field = source.field
    while isinstance(field, ForeignKey):
        field = field.target_field
    plain = not source.converters and isinstance(part.field, serializers.IntegerField)
    return plain and isinstance(field, IntegerField)


# --- Of the database -----------------------------------------------------------------------------


def _fetch(rows: QuerySet[Any]) -> tuple[list[tuple[Any, ...]], list[ColumnSource]]:
    compiler = rows.query.get_compiler(connection=connection)
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        return [], []
    selected: list[Any] = [column for column, _, _ in compiler.select]
    converters = compiler.get_converters(selected)
    sources = [
        ColumnSource(column.target, *converters.get(place, ((), None)))
        for place, column in enumerate(selected)
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.cursor.adapters.register_loader("timestamptz", TextLoader)
        cursor.execute(sql, parameters)
        return cursor.fetchall(), sources


def _stays_text(source: ColumnSource) -> bool:
    return connection.vendor == "postgresql" and isinstance(source.field, DateTimeField)


def _python_of(source: ColumnSource) -> Convert:
    """What makes of a value of the driver the one that an instance of the model would have."""
    if _stays_text(source):
        return lambda text: None if text is None else datetime.fromisoformat(text)
    if not source.converters:
        return lambda value: value

    def convert(value: Any) -> Any:
        for function in source.converters:
            value = function(value, source.expression, connection)
        return value

    return convert


def _show_instant(text: str | None) -> str | None:
    """`format_instant` of what PostgreSQL writes in UTC: `2026-01-31 04:00:00.123+00`."""
    return None if text is None else f"{text[:10]}T{text[11:19]}Z"
