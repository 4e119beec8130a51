"""Compiles a queryset once and runs its SQL again with other values.

Django builds and compiles a query anew for each use. For the unions that availability reads that
takes longer than the database needs to answer them, and a booking reads them under a lock. The
queryset stays the only place where the query is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

# Values of no row of ours: they mark the places of the real ones in the compiled query.
_NUMBER: Final = 9_000_000_000_000_000_000
_INSTANT: Final = datetime(2190, 1, 1, tzinfo=UTC)
_DAY: Final = date(2190, 1, 1)


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    # For each parameter: the place of a value, or None and the constant that stands there.
    parameters: tuple[tuple[int | None, Any], ...]
    converters: dict[int, tuple[list[Callable[..., Any]], Any]]


class Prepared:
    """`build(**values)` makes a `values_list` queryset from numbers, instants, dates and tuples of
    numbers, or None; each value may stand in it any number of times, but only as it is."""

    def __init__(self, build: Callable[..., QuerySet[Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of `build(**values)`."""
        shape = (connection.vendor, *(_shape_of(value) for value in values.values()))
        compiled = self._compiled.get(shape)
        if compiled is None:
            compiled = self._compiled[shape] = self._compile(values)
        flat = [_adapted(value) for value in _flat(values)]
        parameters = [
            constant if place is None else flat[place] for place, constant in compiled.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, parameters)
            found = cursor.fetchall()
        return list(_converted(found, compiled.converters)) if compiled.converters else found

    def _compile(self, values: dict[str, Any]) -> _Compiled:
        marks = _Marks()
        query = self._build(**{name: marks.of(value) for name, value in values.items()}).query
        compiler = query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        places = {_adapted(mark): place for place, mark in enumerate(marks.made)}
        columns = [column for column, _, _ in compiler.select]
        return _Compiled(
            sql,
            tuple((places.get(one), one) for one in parameters),
            compiler.get_converters(columns),
        )


class _Marks:
    def __init__(self) -> None:
        self.made: list[Any] = []

    def of(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, tuple):
            return tuple(self.of(one) for one in value)
        number = len(self.made)
        mark: Any
        if isinstance(value, datetime):
            mark = _INSTANT + timedelta(seconds=number)
        elif isinstance(value, date):
            mark = _DAY + timedelta(days=number)
        else:
            mark = _NUMBER + number
        self.made.append(mark)
        return mark


def _shape_of(value: Any) -> Any:
    return len(value) if isinstance(value, tuple) else value is None


def _flat(values: dict[str, Any]) -> Iterator[Any]:
    """In the order in which `_Marks` counts."""
    for value in values.values():
        if isinstance(value, tuple):
            yield from value
        elif value is not None:
            yield value


def _adapted(value: Any) -> Any:
    """As the database driver takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, date):
        return connection.ops.adapt_datefield_value(value)
    return value


def _converted(
    rows: list[tuple[Any, ...]], converters: dict[int, tuple[list[Callable[..., Any]], Any]]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        values = list(row)
        for place, (functions, expression) in converters.items():
            for function in functions:
                values[place] = function(values[place], expression, connection)
        yield tuple(values)
