"""Two kinds of serializers: one writes answers, one reads bodies and queries. Neither saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any

from rest_framework import serializers

from kaivox.api.fields import format_instant

Reader = Callable[[Any], Any]


def reads(*columns: str) -> Callable[[Reader], Reader]:
    """Names the columns of its row that a `get_…` method looks at, so that lists need not load the
    rest (`kaivox.api.reading`). The business is always there, as `row.business`."""

    def mark(method: Reader) -> Reader:
        method.reads = columns
        return method

    return mark


class ReadSerializer(serializers.Serializer[Any]):
    """An object as the API shows it. Declared fields make the schema and the output.

    The output is compiled once per class into plain look-ups: DRF's own loop over bound fields
    costs ten times as much, and these objects are most of what we answer. `get_<field>` methods
    are static: they see the row alone.
    """

    @classmethod
    def render(cls, row: Any) -> dict[str, Any]:
        """`row` as JSON-ready values; of events and lists alike. Needs its joins loaded."""
        return {name: read(row) for name, read in _readers(cls)}

    @classmethod
    def render_many(cls, rows: Iterable[Any]) -> list[dict[str, Any]]:
        """Each of `rows`, as `render` does."""
        readers = _readers(cls)
        return [{name: read(row) for name, read in readers} for row in rows]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return self.render(instance)


@cache
def _readers(cls: type[ReadSerializer]) -> tuple[tuple[str, Reader], ...]:
    return tuple((name, _reader(cls, name, field)) for name, field in cls._declared_fields.items())


def _reader(cls: type[ReadSerializer], name: str, field: Any) -> Reader:
    if isinstance(field, serializers.SerializerMethodField):
        method: Reader = getattr(cls, field.method_name or f"get_{name}")
        return method
    get = _getter(field.source or name)
    read = converted(field, get)
    if read is not None:
        return read
    if isinstance(field, serializers.ListSerializer):
        return _reader_of_many(get, type(field.child).render)
    render = type(field).render
    return lambda row: None if (value := get(row)) is None else render(value)


def converted(field: Any, get: Reader) -> Reader | None:
    """`get`, its value made JSON-ready as `field` says; None where the field holds rows itself."""
    if isinstance(field, ReadSerializer | serializers.ListSerializer):
        return None
    if isinstance(field, serializers.DateTimeField):
        return lambda row: None if (value := get(row)) is None else format_instant(value)
    if isinstance(field, serializers.DecimalField):
        spec = f".{field.decimal_places}f"
        return lambda row: None if (value := get(row)) is None else format(value, spec)
    if isinstance(field, serializers.DateField):
        return lambda row: None if (value := get(row)) is None else value.isoformat()
    if isinstance(field, serializers.TimeField):
        return lambda row: None if (value := get(row)) is None else value.strftime("%H:%M")
    return get


def _reader_of_many(get: Reader, render: Reader) -> Reader:
    def read(row: Any) -> list[Any]:
        rows = get(row)
        return [render(item) for item in (rows.all() if hasattr(rows, "all") else rows)]

    return read


def _getter(source: str) -> Reader:
    """`customer.name`, or None where a step on the way is None."""
    first, _, rest = source.partition(".")
    if not rest:
        return attrgetter(first)
    get_first, get_rest = attrgetter(first), _getter(rest)
    return lambda row: None if (step := get_first(row)) is None else get_rest(step)


class WriteSerializer(serializers.Serializer[Any]):
    """A body. An unknown field is an error that names it. `context["business"]` is the caller's."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Write a JSON object.")
        problems: dict[str, Any] = {
            name[:100]: ["There is no such field here."] for name in data if name not in self.fields
        }
        validated: dict[str, Any] = {}
        try:
            validated = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail: Any = error.detail
            problems |= detail
        if problems:
            raise serializers.ValidationError(problems)
        return validated


class QuerySerializer(WriteSerializer):
    """The query of an action that is no list. Every value arrives as text."""

    reads_text = True
