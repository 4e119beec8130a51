"""Base serializers: one renders responses, one validates bodies and queries. Neither saves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Final

from rest_framework import serializers

from kaivox.api.exceptions import MAX_FIELD_ERRORS
from kaivox.api.fields import MetadataField, format_instant
from kaivox.api.suggestions import unknown_name

Reader = Callable[[Any], Any]

# In place of the value of a field that the caller may not read: equal to nothing that a client sends.
UNREADABLE: Final = object()


def depends_on(*columns: str) -> Callable[[Reader], Reader]:
    """Names the columns of its row that a `get_…` method looks at, so that lists need not load the
    rest (`kaivox.api.row_readers`). The business is always there, as `row.business`."""

    def decorate(method: Reader) -> Reader:
        method.reads = columns
        return method

    return decorate


class ReadSerializer(serializers.Serializer[Any]):
    """An object as the API shows it. Declared fields make the schema and the output.

    The output is compiled once per class into plain look-ups: DRF's own loop over bound fields
    takes ten times as long, and these objects are most of our responses. `get_<field>` methods are
    static: they receive the row alone.
    """

    # Fields that show another resource, with the scope that is needed to read them (`visible_to`).
    field_scopes: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def load_related(cls, rows: Sequence[Any], business: Any) -> None:
        """Reads what the fields show beside `rows` and their joins, for all of them at once. Views call
        it before `render`."""

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


def visible_to(serializer: type[ReadSerializer], scopes: Collection[str]) -> type[ReadSerializer]:
    """`serializer`, with null in each field whose scope is not among `scopes`."""
    hidden = [name for name, scope in serializer.field_scopes.items() if scope not in scopes]
    return _without(serializer, tuple(hidden)) if hidden else serializer


@cache
def _without(serializer: type[ReadSerializer], hidden: tuple[str, ...]) -> type[ReadSerializer]:
    members: dict[str, Any] = {"__doc__": serializer.__doc__}
    for name in hidden:
        members[name] = serializers.SerializerMethodField()
        members[f"get_{name}"] = staticmethod(_null)
    narrowed = type(serializer.__name__, (serializer,), members)
    fields = narrowed._declared_fields
    # REST framework puts overridden fields last.
    narrowed._declared_fields = {name: fields[name] for name in serializer._declared_fields}
    return narrowed


@depends_on()
def _null(row: Any) -> None:
    return None


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
    if isinstance(field, MetadataField):
        # By key: PostgreSQL's jsonb does not keep the order in which they were sent.
        return lambda row: dict(sorted(get(row).items()))
    if isinstance(field, serializers.FloatField):
        return lambda row: whole_as_integer(get(row))
    if isinstance(field, serializers.DateField):
        return lambda row: None if (value := get(row)) is None else value.isoformat()
    if isinstance(field, serializers.TimeField):
        return lambda row: None if (value := get(row)) is None else value.strftime("%H:%M")
    return get


def whole_as_integer(value: float | None) -> float | int | None:
    """5.0 as 5, as every JSON library but Python's writes it: a receiver that verifies a signature
    over re-serialized JSON gets the same bytes."""
    return int(value) if value is not None and value == int(value) else value


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
    """A body. An unknown field is an error that names it. `context["business"]` is the caller's.

    `null` for an optional field of a new object means that it is left out. In a PATCH it clears the
    field: `cleared` has the values that fields have then; what it does not name cannot be cleared.
    `context["shown"]`, of a PATCH, returns the object as the API shows it: its read-only fields may
    be sent back unchanged.
    """

    noun = "field"
    takes_null: ClassVar[bool] = True
    cleared: ClassVar[Mapping[str, Any]] = {}

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name, field in fields.items():
            if isinstance(field, serializers.ChoiceField):
                choices = ", ".join(map(str, field.choices))
                field.error_messages["invalid_choice"] = f"Choose one of: {choices}."
            if not self.takes_null:
                continue
            if name in self.cleared if self.partial else not field.required:
                field.allow_null = True
            elif self.partial:
                field.error_messages["null"] = "It cannot be cleared. Leave it out to keep it."
        return fields

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Write a JSON object.")
        shown = self._shown(data)
        data = self.without_unchanged(self._without_nulls(data), shown)
        unknown = (name for name in data if name not in self.fields)
        problems: dict[str, Any] = {
            name[:100]: [
                _read_only(shown[name])
                if name in shown
                else unknown_name(name, self.fields, noun=self.noun)
            ]
            for name in islice(unknown, MAX_FIELD_ERRORS)
        }
        validated: dict[str, Any] = {}
        try:
            validated = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail: Any = error.detail
            problems |= detail
        if problems:
            raise serializers.ValidationError(problems)
        if self.partial:
            for name, value in self.cleared.items():
                if name in data and data[name] is None:
                    validated[self.fields[name].source or name] = value
        return validated

    def without_unchanged(
        self, data: Mapping[str, Any], shown: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """`data` without read-only fields that have the value which is shown."""
        return {
            name: value
            for name, value in data.items()
            if name in self.fields or name not in shown or not is_same(value, shown[name])
        }

    def _shown(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        shown = self.context.get("shown")
        return shown() if shown and self.needs_shown(data) else {}

    def needs_shown(self, data: Mapping[str, Any]) -> bool:
        """Whether `data` has to be compared with the object as it is."""
        return any(name not in self.fields for name in data)

    def _without_nulls(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.partial or None not in data.values():
            return data
        return {
            name: value
            for name, value in data.items()
            if value is not None or name not in self.fields or self.fields[name].required
        }


def _read_only(shown: Any) -> str:
    """The error for a read-only field that was sent."""
    has_other_value = " and has another value" if shown is not UNREADABLE else ""
    return f"It is read-only{has_other_value}. Leave it out."


def is_same(sent: Any, shown: Any) -> bool:
    """Whether two JSON values are equal; `true` is not 1."""
    return bool(sent == shown) and isinstance(sent, bool) == isinstance(shown, bool)


class QuerySerializer(WriteSerializer):
    """The query of an action that is no list. Every value arrives as text."""

    noun = "parameter"
    reads_text = True
    takes_null = False
