"""Models: a class for each schema that a response or an event contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api_document import Document, camel

from generator.python_source import HEADER, docstring, literal

_DECIMAL_PATTERNS: Final = (r"^-?\d{0,", r"^\d{1,8}(?:\.")


def models_source(models: Models) -> str:
    lines = [
        HEADER,
        "from datetime import date, datetime",
        "from decimal import Decimal",
        "from typing import Any, Literal",
        "",
        "from kaivox._model import Model, to_instant",
        "",
        f"__all__ = {sorted(models.written)!r}",
        "",
        *models.written.values(),
    ]
    return "\n".join(lines)


@dataclass(frozen=True)
class Converted:
    """A type, and the expression that makes a value of it of a JSON value `{}`."""

    type: str
    expression: str = "{}"

    def or_none(self) -> Converted:
        expression = self.expression
        if expression != "{}":
            expression = f"None if {{}} is None else {expression}"
        return Converted(f"{self.type} | None", expression)


class Models:
    """Model classes, written as their schemas are first referred to."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.written: dict[str, str] = {}

    def of_reference(self, reference: str) -> str:
        name = reference.rpartition("/")[2]
        return self.add(name, self.document.schemas[name])

    def add(self, name: str, schema: Mapping[str, Any]) -> str:
        if name in self.written:
            return name
        self.written[name] = ""  # for schemas that refer to themselves
        properties = dict(schema["properties"])
        base = self._base_of(name, properties)
        if base:
            for inherited in self.document.schemas[base]["properties"]:
                del properties[inherited]
        lines = [
            f"class {name}({base or 'Model'}):",
            docstring(schema.get("description", ""), 4),
            "",
        ]
        lines += ["    __slots__ = ()"]
        required = schema.get("required", ())
        for field, value in properties.items():
            lines += self._property(name, field, value, is_required=field in required)
        del self.written[name]  # after the classes that it needs, since it may inherit from one
        self.written[name] = "\n".join(lines)
        return name

    def _base_of(self, name: str, properties: Mapping[str, Any]) -> str | None:
        """The model of which an object written out in full is an extension, such as the `data` of
        `appointment.rescheduled`."""
        if name in self.document.schemas:
            return None
        bases = [
            base
            for base in ("Appointment", "CallWithTranscript", "Customer")
            if self.document.schemas[base]["properties"].items() <= properties.items()
        ]
        return self.of_reference(bases[0]) if bases else None

    def _property(
        self, owner: str, field: str, schema: Mapping[str, Any], *, is_required: bool
    ) -> list[str]:
        converted = self.converted(schema, owner + camel(field))
        access = f'self._data["{field}"]'
        if not is_required:
            access = f'self._data.get("{field}")'
            if not converted.type.endswith("None"):
                converted = converted.or_none()
        text = schema.get("description", "")
        return [
            "", "    @property", f"    def {field}(self) -> {converted.type}:",
            *([docstring(text, 8)] if text else []),
            f"        return {converted.expression.replace('{}', access)}",
        ]  # fmt: skip

    def converted(self, schema: Mapping[str, Any], name: str) -> Converted:
        """Python's type of a schema; `name` is for an object that has no name of its own."""
        for key in ("oneOf", "anyOf"):
            if key in schema:
                others = [one for one in schema[key] if one.get("type") != "null"]
                one = self.converted(others[0], name)
                nullable = len(others) < len(schema[key]) and not one.type.endswith("None")
                return one.or_none() if nullable else one
        if "$ref" in schema:
            model = self.of_reference(schema["$ref"])
            return Converted(model, f"{model}({{}})")
        kind = schema.get("type")
        if isinstance(kind, list):
            one = self.converted({**schema, "type": next(k for k in kind if k != "null")}, name)
            return one.or_none()
        if "const" in schema:
            return Converted(f"Literal[{schema['const']!r}]")
        if "enum" in schema:
            return Converted(literal(schema["enum"]))
        if kind == "object":
            return self._object(schema, name)
        if kind == "array":
            item = self.converted(schema["items"], name)
            if item.expression == "{}":
                return Converted(f"list[{item.type}]")
            return Converted(
                f"list[{item.type}]", f"[{item.expression.format('item')} for item in {{}}]"
            )
        return scalar(schema)

    def _object(self, schema: Mapping[str, Any], name: str) -> Converted:
        if "properties" in schema:
            model = self.add(name, schema)
            return Converted(model, f"{model}({{}})")
        values = schema.get("additionalProperties")
        inner = self.converted(values, name).type if isinstance(values, dict) and values else "Any"
        return Converted(f"dict[str, {inner}]")


def scalar(schema: Mapping[str, Any]) -> Converted:
    kind, shape = schema.get("type"), schema.get("format")
    if kind == "string" and shape == "date-time":
        return Converted("datetime", "to_instant({})")
    if kind == "string" and shape == "date":
        return Converted("date", "date.fromisoformat({})")
    if kind == "string" and schema.get("pattern", "").startswith(_DECIMAL_PATTERNS):
        return Converted("Decimal", "Decimal({})")
    names = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
    return Converted(names.get(str(kind), "Any"))
