"""The OpenAPI document as a Postman collection (format 2.1.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = dict[str, Any]

_FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_SAMPLES: Final = {
    "date": "2026-03-02",
    "date-time": "2026-03-02T04:30:00Z",
    "email": "asha@example.com",
    "uri": "https://example.com/kaivox",
}


def collection_of(document: Schema) -> Schema:
    """One folder a tag, one request an operation. `baseUrl` and `apiKey` are variables."""
    folders: dict[str, list[Schema]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            tag = operation["tags"][0]
            folders.setdefault(tag, []).append(_request(document, method, path, operation))
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "schema": _FORMAT,
        },
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "X-API-Key", "type": "string"},
                {"key": "value", "value": "{{apiKey}}", "type": "string"},
                {"key": "in", "value": "header", "type": "string"},
            ],
        },
        "variable": [
            {"key": "baseUrl", "value": "http://127.0.0.1:8000"},
            {"key": "apiKey", "value": "kv_live_xxxxxxxxxx"},
        ],
        "item": [{"name": tag, "item": requests} for tag, requests in folders.items()],
    }


def _request(document: Schema, method: str, path: str, operation: Schema) -> Schema:
    parameters = [_resolve(document, item) for item in operation.get("parameters", ())]
    headers = [{"key": "Accept", "value": "application/json"}]
    request: Schema = {
        "method": method.upper(),
        "description": operation.get("description", ""),
        "header": headers,
        "url": _url(path, parameters),
    }
    body = operation.get("requestBody")
    if body:
        headers.append({"key": "Content-Type", "value": "application/json"})
        schema = body["content"]["application/json"]["schema"]
        sample = json.dumps(_sample(document, schema), indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": sample, "options": {"raw": {"language": "json"}}}
    headers += [_disabled(item) for item in parameters if item["in"] == "header"]
    return {"name": operation.get("summary") or operation["operationId"], "request": request}


def _url(path: str, parameters: list[Schema]) -> Schema:
    colons = re.sub(r"\{(\w+)\}", r":\1", path)
    required = [item for item in parameters if item["in"] == "query" and item.get("required")]
    raw = "{{baseUrl}}" + colons
    if required:
        raw += "?" + "&".join(f"{item['name']}={_value(item['schema'])}" for item in required)
    return {
        "raw": raw,
        "host": ["{{baseUrl}}"],
        "path": colons.strip("/").split("/"),
        "query": [_disabled(item) for item in parameters if item["in"] == "query"],
        "variable": [
            {"key": item["name"], "value": "1", "description": item.get("description", "")}
            for item in parameters
            if item["in"] == "path"
        ],
    }


def _disabled(item: Schema) -> Schema:
    """A parameter, ready to be switched on; required ones are on."""
    return {
        "key": item["name"],
        "value": str(_value(item["schema"])),
        "description": item.get("description", ""),
        "disabled": not item.get("required", False),
    }


def _sample(document: Schema, schema: Schema) -> Any:
    """A body: its required fields, else its first one; alternatives by their first."""
    schema = _resolve(document, schema)
    if "properties" not in schema:
        return _value(schema)
    chosen = schema.get("required") or list(schema["properties"])[:1]
    return {name: _sample(document, schema["properties"][name]) for name in chosen}


def _value(schema: Mapping[str, Any]) -> Any:
    for source in _known_values(schema):
        return source
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [_value(schema.get("items", {}))]
    plain = {"integer": schema.get("minimum", 1), "number": 1, "boolean": True, "object": {}}
    return plain.get(kind, "…")


def _known_values(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from schema.get("examples", ())
    if schema.get("default") is not None:
        yield schema["default"]
    yield from (value for value in schema.get("enum", ()) if value is not None)
    if schema.get("format") in _SAMPLES:
        yield _SAMPLES[schema["format"]]
    yield from (_value(option) for key in ("oneOf", "anyOf") for option in schema.get(key, ()))


def _resolve(document: Schema, part: Schema) -> Schema:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part
