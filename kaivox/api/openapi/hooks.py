"""Hooks of drf-spectacular that complete the generated document: shared components, paths, formats."""

from __future__ import annotations

from typing import Any

import uritemplate

from kaivox.api.openapi import components
from kaivox.api.openapi.components import Schema


def add_frame(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Hook of drf-spectacular: adds the shared components and links, tidies paths and enums."""
    result["paths"] = {_tidy(path, item): item for path, item in result["paths"].items()}
    _normalise_schemas(result)
    parts = result.setdefault("components", {})
    for kind, entries in components.components().items():
        parts[kind] = dict(sorted({**parts.get(kind, {}), **entries}.items()))
    _add_links(result["paths"])
    return result


def _tidy(path: str, item: Schema) -> str:
    """The spelling without a slash, and `{id}` where a nested router says `{endpoint_pk}`."""
    names = [name for name in uritemplate.variables(path) if name.endswith("_pk")]
    for name in names if len(uritemplate.variables(path)) == 1 else ():
        path = path.replace(f"{{{name}}}", "{id}")
        for operation in item.values():
            for parameter in operation["parameters"]:
                if parameter.get("name") == name:
                    parameter["name"] = "id"
    return path.rstrip("/")


def _normalise_schemas(part: Any) -> None:
    """Removes drf-spectacular's markers for a hook that we do not use (enums stay in place), adds
    `null` to enums whose type allows it, and the formats that serializer fields do not name."""
    if isinstance(part, dict):
        for name, schema in part.get("properties", {}).items():
            _set_format(name, schema)
        part.pop("x-spec-enum-id", None)
        part.pop("readOnly", None)  # what is read and what is written have schemas of their own
        if "enum" in part and "null" in part.get("type", ()) and None not in part["enum"]:
            part["enum"] = [*part["enum"], None]
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        _normalise_schemas(inner)


def _set_format(name: str, schema: Schema) -> None:
    types = schema.get("type", ())
    types = {types} if isinstance(types, str) else {*types}
    if "integer" in types and (name == "id" or name.endswith("_id")):
        schema.setdefault("format", "int64")
    if "string" in types and (name == "date" or name.endswith("_date")):
        schema.setdefault("format", "date")
    if schema.get("format") == "decimal":
        del schema["format"]  # generators make a number of it, which a string does not fit


def _add_links(paths: dict[str, Schema]) -> None:
    """Adds links from operations that create or list objects to those on one of them."""
    for path, item in paths.items():
        of_one = _operations_of_one(paths, path)
        for method, status, pointer in (("post", "201", "data/id"), ("get", "200", "data/0/id")):
            response = item.get(method, {}).get("responses", {}).get(status)
            if response is not None and of_one:
                response["links"] = {
                    operation: {
                        "operationId": operation,
                        "parameters": {"id": f"$response.body#/{pointer}"},
                    }
                    for operation in of_one
                }


def _operations_of_one(paths: dict[str, Schema], path: str) -> list[str]:
    """Operation ids at `{path}/{id}` and below."""
    here = f"{path}/{{id}}"
    return [
        operation["operationId"]
        for below, item in paths.items()
        if below == here or below.startswith(f"{here}/")
        for operation in item.values()
    ]
