"""How are the rows of a list read? As plain tuples where that is enough.

A model instance per row and join is most of what a list costs. Where every field of a serializer is
a column, or a method that names the columns that it `reads`, only these columns are asked for, and
no instance is made. A serializer with nested rows is rendered from instances as ever.
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

from kaivox.api.columns import Form, Part, Piece, read_piece
from kaivox.api.serializers import ReadSerializer, converted

_BUSINESS: Final = "business."

Shown = list[dict[str, Any]]


class Reading(Protocol):
    def rows(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any]:
        """`rows`, to be iterated for `render`; with the columns `more` beside what is shown."""

    def render(self, rows: Iterable[Any], business: Any) -> Shown:
        """What the API shows of rows that came from `rows`, all of `business`."""

    def piece(self, rows: QuerySet[Any], ordered_by: str, business: Any, form: Form) -> Piece:
        """All of `rows`, read and written in one go."""


@cache
def reading_of(serializer: type[ReadSerializer], model: type[Model]) -> Reading:
    """The leanest way that `serializer` allows."""
    fields = serializer._declared_fields.items()
    parts = [_part(serializer, model, name, field) for name, field in fields]
    found = [part for part in parts if part is not None]
    return AsTuples(found) if len(found) == len(parts) else AsInstances(serializer)


class AsInstances:
    def __init__(self, serializer: type[ReadSerializer]) -> None:
        self._serializer = serializer

    def rows(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any]:
        return rows

    def render(self, rows: Iterable[Any], business: Any) -> Shown:
        return self._serializer.render_many(rows)

    def piece(self, rows: QuerySet[Any], ordered_by: str, business: Any, form: Form) -> Piece:
        found = list(rows)
        written = (tuple(map(form.cell, shown.values())) for shown in self.render(found, business))
        last = (getattr(found[-1], ordered_by), found[-1].pk) if found else None
        return Piece(written, len(found), last)


class AsTuples:
    """Reads the columns of `parts` and no more: `parts` are the fields of a flat serializer."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._readers = [(part.name, part.read) for part in parts]
        self._columns = dict.fromkeys(column for part in parts for column in part.columns)

    def _names(self, *more: str) -> tuple[str, ...]:
        return tuple({**self._columns, **dict.fromkeys(more), "pk": None})

    def rows(self, rows: QuerySet[Any], *more: str) -> QuerySet[Any]:
        names = self._names(*more)
        light: QuerySet[Any] = rows.values_list(*names)
        light._iterable_class = _rows_with(names)
        return light

    def render(self, rows: Iterable[Any], business: Any) -> Shown:
        readers = self._readers
        shown = []
        for row in rows:
            row.business = business
            shown.append({name: read(row) for name, read in readers})
        return shown

    def piece(self, rows: QuerySet[Any], ordered_by: str, business: Any, form: Form) -> Piece:
        names = self._names(ordered_by)
        light = rows.values_list(*names)
        return read_piece(light, names, self._parts, ordered_by, business, form)


class Row(SimpleNamespace):
    """Columns as attributes; those of joined rows under their path, `customer__name`."""


@cache
def _rows_with(names: tuple[str, ...]) -> type[ValuesListIterable]:
    class Rows(ValuesListIterable):
        def __iter__(self) -> Iterator[Any]:
            for values in super().__iter__():
                yield Row(**dict(zip(names, values, strict=True)))

    return Rows


def _part(
    serializer: type[ReadSerializer], model: type[Model], name: str, field: Any
) -> Part | None:
    """How one field is read from a tuple, or None where it needs the instance."""
    if isinstance(field, SerializerMethodField):
        method: Callable[[Any], Any] = getattr(serializer, field.method_name or f"get_{name}")
        columns = getattr(method, "reads", None)
        return None if columns is None else Part(name, method, columns)
    source = field.source or name
    if source.startswith(_BUSINESS):
        read = converted(field, attrgetter(source))
        return None if read is None else Part(name, read, ())
    if not _is_column(model, source.split(".")):
        return None
    path = source.replace(".", "__")
    read = converted(field, attrgetter(path))
    of_value = converted(field, lambda value: value)
    return None if read is None else Part(name, read, (path,), field, of_value)


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
