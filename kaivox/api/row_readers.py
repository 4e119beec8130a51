"""Row readers: rows of a list as tuples where the serializer allows it, else as model instances.

A model instance per row and join is most of the cost of a list. Where every field of a serializer is
a column, or a method that names its columns (`depends_on`), only these columns are selected and no
instance is made. A serializer with nested rows is rendered from instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Final, Protocol

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.db.models.query import ValuesListIterable
from rest_framework.serializers import SerializerMethodField

from kaivox.api.export.columnar import CellEncoder, Chunk, FieldSpec, read_chunk
from kaivox.api.serializers import ReadSerializer, converted
from kaivox.db.statements import with_row_class

_BUSINESS: Final = "business."

Shown = list[dict[str, Any]]


class RowReader(Protocol):
    def rows(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any]:
        """`rows`, to be iterated for `render`; with the columns `more` beside what is shown."""

    def render(self, rows: Iterable[Any], business: Any) -> Shown:
        """What the API shows of rows that came from `rows`, all of `business`."""

    def piece(
        self, rows: QuerySet[Any], ordered_by: str, business: Any, form: CellEncoder
    ) -> Chunk:
        """All of `rows`, read and written in one go."""


@cache
def row_reader_for(serializer: type[ReadSerializer], model: type[Model]) -> RowReader:
    """ValuesReader where all fields of `serializer` allow it, else InstanceReader."""
    fields = serializer._declared_fields.items()
    parts = [_part(serializer, model, name, field) for name, field in fields]
    found = [part for part in parts if part is not None]
    return ValuesReader(found) if len(found) == len(parts) else InstanceReader(serializer)


class InstanceReader:
    def __init__(self, serializer: type[ReadSerializer]) -> None:
        self._serializer = serializer

    def rows(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any]:
        return rows

    def render(self, rows: Iterable[Any], business: Any) -> Shown:
        found = list(rows)
        self._serializer.load_related(found, business)
        return self._serializer.render_many(found)

    def piece(
        self, rows: QuerySet[Any], ordered_by: str, business: Any, form: CellEncoder
    ) -> Chunk:
        found = list(rows)
        written = (tuple(map(form.cell, shown.values())) for shown in self.render(found, business))
        last = (getattr(found[-1], ordered_by), found[-1].pk) if found else None
        return Chunk(written, len(found), last)


class ValuesReader:
    """Reads the columns of `parts` and no more: `parts` are the fields of a flat serializer."""

    def __init__(self, parts: Sequence[FieldSpec]) -> None:
        self._parts = parts
        self._readers = [(part.name, part.read) for part in parts]
        self._columns = dict.fromkeys(column for part in parts for column in part.columns)

    def _names(self, *more: str) -> tuple[str, ...]:
        return tuple({**self._columns, **dict.fromkeys(more), "pk": None})

    def rows(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any]:
        names = self._names(*more)
        return with_row_class(rows.values_list(*names), _rows_with(names))

    def render(self, rows: Iterable[Any], business: Any) -> Shown:
        readers = self._readers
        shown = []
        for row in rows:
            row.business = business
            shown.append({name: read(row) for name, read in readers})
        return shown

    def piece(
        self, rows: QuerySet[Any], ordered_by: str, business: Any, form: CellEncoder
    ) -> Chunk:
        names = self._names(ordered_by)
        light = rows.values_list(*names)
        return read_chunk(light, names, self._parts, ordered_by, business, form)


class ColumnRow(SimpleNamespace):
    """Columns as attributes; those of joined rows under their path, `customer__name`."""


@cache
def _rows_with(names: tuple[str, ...]) -> type[ValuesListIterable]:
    class Rows(ValuesListIterable):
        @staticmethod
        def make_row(values: Any) -> ColumnRow:
            return ColumnRow(**dict(zip(names, values, strict=True)))

        def __iter__(self) -> Iterator[Any]:
            return map(self.make_row, super().__iter__())

    return Rows


def _part(
    serializer: type[ReadSerializer], model: type[Model], name: str, field: Any
) -> FieldSpec | None:
    """How one field is read from a tuple, or None where it needs the instance."""
    if isinstance(field, SerializerMethodField):
        method: Callable[[Any], Any] = getattr(serializer, field.method_name or f"get_{name}")
        columns = getattr(method, "reads", None)
        return None if columns is None else FieldSpec(name, method, columns)
    source = field.source or name
    if source.startswith(_BUSINESS):
        read = converted(field, attrgetter(source))
        return None if read is None else FieldSpec(name, read, ())
    if not _is_column(model, source.split(".")):
        return None
    path = source.replace(".", "__")
    read = converted(field, attrgetter(path))
    of_value = converted(field, lambda value: value)
    return None if read is None else FieldSpec(name, read, (path,), field, of_value)


def _is_column(model: type[Model], steps: list[str]) -> bool:
    """Whether `steps` lead over single joins to a column: `["customer", "name"]`."""
    try:
        field = model._meta.get_field(steps[0])
    except FieldDoesNotExist:
        return False
    if len(steps) == 1:
        return bool(field.concrete)
    joins = field.many_to_one or field.one_to_one
    return bool(joins) and _is_column(field.related_model, steps[1:])  # type: ignore[arg-type]
