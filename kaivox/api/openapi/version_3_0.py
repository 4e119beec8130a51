"""Converts an OpenAPI 3.1 document to 3.0.3, for generators that do not read 3.1."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from kaivox.api.openapi.components import Schema

VERSION = "3.0.3"
# JSON Schema 2020-12 keywords without a counterpart in 3.0. Dropping them only loosens a schema.
_ONLY_3_1 = ("propertyNames", "patternProperties", "contentMediaType", "$comment")
_NULL = {"type": "null"}


def to_openapi_3_0(document: Schema) -> Schema:
    """`document` as 3.0.3: without `webhooks`, and with schemas in the dialect of 3.0."""
    parts = {name: part for name, part in document.items() if name != "webhooks"}
    converted: Schema = _converted({**parts, "openapi": VERSION})
    _copy_nullable_targets(converted, converted)
    drop_unused(converted)
    return converted


def _converted(part: Any, *, in_example: bool = False) -> Any:
    if isinstance(part, list):
        return [_converted(one, in_example=in_example) for one in part]
    if not isinstance(part, dict):
        return part
    if in_example:
        return {name: _converted(value, in_example=True) for name, value in part.items()}
    if _is_schema(part):
        part = _schema_3_0(part)
    return {
        name: _converted(value, in_example=name in ("example", "examples", "default", "enum"))
        if name != "properties"
        # Names of fields, which may be those of keywords.
        else {field: _converted(schema) for field, schema in value.items()}
        for name, value in part.items()
    }


def _is_schema(part: Schema) -> bool:
    return bool({"type", "$ref", "oneOf", "anyOf", "allOf", "const"} & part.keys())


def _schema_3_0(schema: Schema) -> Schema:
    made = {name: value for name, value in schema.items() if name not in _ONLY_3_1}
    if isinstance(made.get("type"), list):
        types = [one for one in made.pop("type") if one != "null"]
        if len(types) == 1:
            made["type"] = types[0]
        if len(types) < len(schema["type"]):
            made["nullable"] = True
    if "const" in made:
        made["enum"] = [made.pop("const")]
    # In 3.1 a list of values; `examples` of a media type is an object, and stays.
    if isinstance(made.get("examples"), list):
        made["example"] = made.pop("examples")[0]
    for kind in ("oneOf", "anyOf"):
        if _NULL in made.get(kind, ()):
            options = [one for one in made.pop(kind) if one != _NULL]
            made["allOf" if len(options) == 1 else kind] = options
            made["nullable"] = True
    if "$ref" in made and len(made) > 1:  # 3.0 ignores what is beside a reference
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _copy_nullable_targets(part: Any, document: Schema) -> None:
    """Replaces nullable references by copies of their targets: in 3.0 `nullable` adds null to the
    `type` beside it, and a target beside it would still reject null."""
    if isinstance(part, dict):
        if part.get("nullable") and len(part.get("allOf", ())) == 1:
            target = _at(document, part.pop("allOf")[0]["$ref"])
            part |= {**copy.deepcopy(target), **part}
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            _copy_nullable_targets(inner, document)


def drop_unused(document: Schema) -> None:
    """Removes components that nothing refers to."""
    components = document["components"]
    used: set[str] = set()
    roots = [part for name, part in document.items() if name != "components"]
    while roots:
        found = {ref for root in roots for ref in _references(root)} - used
        used |= found
        roots = [_at(document, ref) for ref in found]
    for kind in components.keys() - {"securitySchemes"}:
        components[kind] = {
            name: part
            for name, part in components[kind].items()
            if f"#/components/{kind}/{name}" in used
        }


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _at(document: Schema, reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
