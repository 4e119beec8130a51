"""Compiles a queryset once and runs its SQL again with other values.

Django builds and compiles a query on each use. That takes longer than the database needs to run most
of ours, and a booking runs some of them under a lock. The queryset stays the only definition of the
query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet, prefetch_related_objects
from django.db.models.query import ModelIterable, get_related_populators

# Placeholders for the real values in the compiled query; no row of ours has them.
_NUMBER: Final = 9_000_000_000_000_000_000
_INSTANT: Final = datetime(2190, 1, 1, tzinfo=UTC)
_DAY: Final = date(2190, 1, 1)
_TEXT: Final = "in place of text "


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    # For each parameter: the index of a value, or None and the constant of the query itself.
    parameters: tuple[tuple[int | None, Any], ...]
    converters: dict[int, tuple[list[Callable[..., Any]], Any]]
    # Makes of a tuple what the queryset would; None where it makes tuples.
    make_row: Callable[[tuple[Any, ...]], Any] | None
    prefetched: tuple[Any, ...]


class CompiledQuery:
    """A query whose SQL is compiled once per shape of its values.

    `build(**values)` returns a queryset, of instances or a `values_list`, from numbers, texts,
    instants, dates and tuples of these, or None. It may use each value any number of times, but must
    not compute with it or branch on it: it is called with placeholders.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]]) -> None:
        self._build = build
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}

    def first(self, **values: Any) -> Any:
        """The first row of `build(**values)`, or None."""
        rows = self.rows(**values)
        return rows[0] if rows else None

    def rows(self, **values: Any) -> list[Any]:
        """The rows of `build(**values)`."""
        # With the names: another order of the arguments is another order of the parameters.
        shape = (connection.vendor, *values, *map(_shape_of, values.values()))
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
        if compiled.converters:
            found = list(_converted(found, compiled.converters))
        if compiled.make_row is not None:
            found = list(map(compiled.make_row, found))
        if compiled.prefetched and found:
            prefetch_related_objects(found, *compiled.prefetched)
        return found

    def _compile(self, values: dict[str, Any]) -> _Compiled:
        placeholders = _Placeholders()
        queryset: Any = self._build(
            **{name: placeholders.of(value) for name, value in values.items()}
        )
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        places = {
            _adapted(placeholder): place for place, placeholder in enumerate(placeholders.made)
        }
        columns = [column for column, _, _ in compiler.select]
        return _Compiled(
            sql,
            tuple((places.get(one), one) for one in parameters),
            compiler.get_converters(columns),
            _row_maker(queryset, compiler),
            queryset._prefetch_related_lookups,  # no public accessor
        )


class _Placeholders:
    def __init__(self) -> None:
        self.made: list[Any] = []

    def of(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, tuple):
            return tuple(self.of(one) for one in value)
        number = len(self.made)
        placeholder: Any
        if isinstance(value, datetime):
            placeholder = _INSTANT + timedelta(seconds=number)
        elif isinstance(value, date):
            placeholder = _DAY + timedelta(days=number)
        elif isinstance(value, str):
            placeholder = f"{_TEXT}{number}"
        else:
            placeholder = _NUMBER + number
        self.made.append(placeholder)
        return placeholder


def _row_maker(queryset: Any, compiler: Any) -> Callable[[tuple[Any, ...]], Any] | None:
    # No public accessor says whether a queryset returns instances or tuples.
    if queryset._iterable_class is ModelIterable:
        return _instances_of(compiler)
    # An iterable class of ours names what makes its rows.
    return getattr(queryset._iterable_class, "make_row", None)


def _instances_of(compiler: Any) -> Callable[[tuple[Any, ...]], Any]:
    """Makes an instance of a row, as Django's ModelIterable does."""
    model = compiler.klass_info["model"]
    places = compiler.klass_info["select_fields"]
    own = slice(places[0], places[-1] + 1)
    names = [column.target.attname for column, _, _ in compiler.select[own]]
    annotations = compiler.annotation_col_map or {}
    joined = get_related_populators(  # type: ignore[call-arg]  # the stubs are of Django 6
        compiler.klass_info, compiler.select, connection.alias
    )

    def instance(row: tuple[Any, ...]) -> Any:
        made = model.from_db(connection.alias, names, row[own])
        for populator in joined:
            populator.populate(row, made)
        for name, place in annotations.items():
            setattr(made, name, row[place])
        return made

    return instance


def _shape_of(value: Any) -> Any:
    # A tuple of the length: 1 and True, which says None, are the same key.
    return (len(value),) if isinstance(value, tuple) else value is None


def _flat(values: dict[str, Any]) -> Iterator[Any]:
    """In the order in which `_Placeholders` counts."""
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
