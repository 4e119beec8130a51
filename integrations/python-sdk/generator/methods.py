"""The methods of resources and their arguments, read from the operations of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api_document import Document, camel, name_of

from generator.models import Models, scalar
from generator.python_source import literal

# Exports are streams, and unchanged responses have no body: `request()` is there for both.
_LEFT_OUT_PARAMETERS: Final = frozenset({"format", "excel", "If-None-Match"})


@dataclass(frozen=True)
class Argument:
    """One argument of a method."""

    name: str  # in Python
    wire_name: str
    type: str
    place: str  # path, query, body or header
    is_required: bool
    text: str

    def declaration(self) -> str:
        if self.is_required:
            return f"{self.name}: {self.type}"
        if self.place == "header":
            return f"{self.name}: str | None = None"
        kind = self.type.removesuffix(" | None")
        none = " | None" if kind != self.type else ""
        return f"{self.name}: {kind} | NotGiven{none} = NOT_GIVEN"


@dataclass(frozen=True)
class Method:
    """A method of a resource: one operation."""

    resource: str
    name: str
    verb: str
    path: str
    text: str
    arguments: tuple[Argument, ...]
    model: str
    meta: str | None  # of a whole list
    is_paged: bool
    deletes: bool

    def placed(self, place: str) -> list[Argument]:
        return [argument for argument in self.arguments if argument.place == place]


def methods_of(document: Document, models: Models) -> list[Method]:
    return [_method(document, models, *operation) for operation in document.operations()]


def _method(
    document: Document, models: Models, verb: str, path: str, operation: Mapping[str, Any]
) -> Method:
    resource, name = name_of(operation)
    schema = document.success_schema(operation)
    data = schema["properties"]["data"]
    meta = document.resolve(schema["properties"]["meta"])
    is_list = data.get("type") == "array"
    is_paged = "next_cursor" in meta["properties"]
    row = data["items"] if is_list else data
    default = camel(operation["operationId"])
    # It returns nothing: once the object is gone, no repetition can show it.
    deletes = (verb, name) == ("DELETE", "delete")
    if "$ref" in row:
        model = models.of_reference(row["$ref"])
    elif "properties" in row and not deletes:
        model = models.add(f"{default}Data", row)
    else:
        model = "Model"
    meta_name = None
    if is_list and not is_paged:
        named = len(meta["properties"]) > 1
        meta_name = models.add(f"{default}Meta" if named else "Meta", meta)
    return Method(
        resource=resource,
        name=name,
        verb=verb,
        path=path.removeprefix("/api/v1"),
        text=operation.get("description") or operation.get("summary", ""),
        arguments=tuple(_arguments(document, models, operation)),
        model=model,
        meta=meta_name,
        is_paged=is_paged,
        deletes=deletes,
    )


def _arguments(
    document: Document, models: Models, operation: Mapping[str, Any]
) -> Iterator[Argument]:
    for reference in operation.get("parameters", ()):
        parameter = document.resolve(reference)
        wire_name = parameter["name"]
        if wire_name in _LEFT_OUT_PARAMETERS:
            continue
        place = parameter["in"]
        kind = "str" if place == "header" else _argument_type(models, parameter["schema"], place)
        name = wire_name.lower().replace("-", "_")
        required = parameter.get("required", False)
        yield Argument(name, wire_name, kind, place, required, parameter.get("description", ""))
    if "requestBody" in operation:
        content = document.resolve(operation["requestBody"])["content"]
        schema = document.resolve(content["application/json"]["schema"])
        for wire_name, value in schema["properties"].items():
            required = wire_name in schema.get("required", ())
            kind = _argument_type(models, value, "body")
            text = value.get("description", "")
            yield Argument(wire_name, wire_name, kind, "body", required, text)


def _argument_type(models: Models, schema: Mapping[str, Any], place: str) -> str:
    """What a method accepts, which is more than a response contains: text for dates and times."""
    kind: Any = schema.get("type")
    nullable = isinstance(kind, list) and "null" in kind
    if nullable:
        kind = next(one for one in kind if one != "null")
    one = _accepted({**schema, "type": kind}, models, place)
    return f"{one} | None" if nullable else one


def _accepted(schema: Mapping[str, Any], models: Models, place: str) -> str:
    if "oneOf" in schema or "anyOf" in schema:
        return models.converted(schema, "Argument").type
    if "enum" in schema:
        return literal([value for value in schema["enum"] if value is not None])
    if "$ref" in schema:  # an object
        return "Mapping[str, Any]"
    kind = schema["type"]
    if kind == "array":
        return f"Sequence[{_accepted(schema['items'], models, place)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        is_text = isinstance(values, dict) and values.get("type") == "string"
        return f"Mapping[str, {'str' if is_text else 'Any'}]"
    if schema.get("format") == "date-time":
        return "datetime | str"
    if schema.get("format") == "date":
        return "date | str"
    if place == "query" and ("x-choices" in schema or ",[" in schema.get("pattern", "")):
        return "str | Sequence[str | int]"
    accepted = scalar(schema).type
    return "Decimal | str" if accepted == "Decimal" else accepted
