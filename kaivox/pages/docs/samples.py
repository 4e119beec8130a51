"""Code samples of an API operation in curl, Python and TypeScript, from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from html import escape
from typing import Any, Final
from urllib.parse import urlencode

from django.utils.safestring import SafeString, mark_safe

from kaivox.pages.openapi_reader import Operation, Property

# Values that work with the demo data. Examples of the document take precedence.
_BY_NAME: Final[dict[str, Any]] = {
    "email": "asha@example.com",
    "phone": "+91 98765 43210",
    "name": "Asha Rao",
    "url": "https://example.com/kaivox",
    "appointment_time": "10:00",
    "notes": "Prefers mornings.",
    "event_types": ["appointment.booked", "call.missed"],
    "event_type": "appointment.booked",
    "pipeline_stage": "contacted",
    "status": "completed",
}
# Optional fields that make an example body useful.
_SHOWN: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("post", "/api/v1/appointments"): ("appointment_date", "appointment_time"),
    ("patch", "/api/v1/appointments/{id}"): ("start_time",),
    ("post", "/api/v1/appointments/holds"): ("start_time",),
    ("post", "/api/v1/customers"): ("phone", "email"),
    ("patch", "/api/v1/customers/{id}"): ("pipeline_stage", "notes"),
    ("patch", "/api/v1/webhooks/{id}"): ("event_types",),
    ("post", "/api/v1/webhooks"): ("event_types",),
}
_BY_TYPE: Final[dict[str, Any]] = {"integer": 1, "number": 1, "boolean": True, "object": {}}


def samples(operation: Operation, base: str, today: date) -> dict[str, str]:
    """Language → code. `base` is the server's address; `today` dates the examples. Empty for operations
    that need a signature: docs/voice.md has programs that sign."""
    if operation.is_signed:
        return {}
    path = operation.path
    for item in operation.parameters:
        if item.where == "path":
            path = path.replace(f"{{{item.name}}}", str(example_of(item, today)))
    query = {item.name: example_of(item, today) for item in operation.query if item.required}
    url = f"{base}{path}" + (f"?{urlencode(query)}" if query else "")
    body = body_of(operation, today) if operation.method in ("post", "patch") else None
    return {
        "curl": _curl(operation.method.upper(), url, body),
        "Python": _python(operation.method, url, body, operation.has_data),
        "TypeScript": _typescript(operation.method.upper(), url, body, operation.has_data),
    }


def as_code(found: Mapping[str, str]) -> dict[str, SafeString]:
    """Samples as the content of an element. Quotation marks, of which they are full, need no escape there:
    the developers' page is 20 kB smaller."""
    return {
        language: mark_safe(escape(code, quote=False))  # noqa: S308 - escaped
        for language, code in found.items()
    }


def body_of(operation: Operation, today: date) -> dict[str, Any] | None:
    """An example body: the document's, else its required fields."""
    if operation.body_example is not None:
        return operation.body_example
    shown = _SHOWN.get((operation.method, operation.path), ())
    chosen = [item for item in operation.body if item.required or item.name in shown]
    chosen.sort(key=lambda item: not item.required)
    return {item.name: example_of(item, today) for item in chosen or operation.body[:1]} or None


def example_of(item: Property, today: date) -> Any:
    """A value that `item` accepts: its own example or default, else one that works with the demo data."""
    schema = item.schema
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("example", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if item.name == "since":
        return f"{(today - timedelta(days=1)).isoformat()}T00:00:00Z"
    if item.name in _BY_NAME:
        return _BY_NAME[item.name]
    if item.choices:
        return item.choices[0]
    monday = today + timedelta(days=14 - today.weekday())
    by_format = {"date": monday.isoformat(), "date-time": f"{monday.isoformat()}T09:30:00Z"}
    if item.format in by_format:
        return by_format[item.format]
    if item.type == "array":
        return schema.get("items", {}).get("enum", ["…"])[:1]
    return _BY_TYPE.get(item.type, "1" if item.where == "path" else "…")


def _curl(method: str, url: str, body: Any) -> str:
    lines = [f"curl {'' if method == 'GET' else f'-X {method} '}'{url}'"]
    lines.append('  -H "X-API-Key: $KAIVOX_API_KEY"')
    if body is not None:
        lines.append("  -H 'Content-Type: application/json'")
        quoted = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines.append(f"  -d '{quoted}'")
    return " \\\n".join(lines)


def _python(method: str, url: str, body: Any, has_data: bool) -> str:
    arguments = [f'    "{url}",', '    headers={"X-API-Key": os.environ["KAIVOX_API_KEY"]},']
    if body is not None:
        arguments.append(f"    json={_python_literal(body)},")
    return "\n".join(
        [
            "import os",
            "import requests",
            "",
            f"response = requests.{method}(",
            *arguments,
            "    timeout=10,",
            ")",
            "response.raise_for_status()",
            'print(response.json()["data"])' if has_data else "print(response.status_code)",
        ]
    )


def _python_literal(body: Any) -> str:
    text = json.dumps(body, indent=4, ensure_ascii=False).replace("\n", "\n    ")
    for word, name in (("true", "True"), ("false", "False"), ("null", "None")):
        text = text.replace(f": {word}", f": {name}")
    return text


def _typescript(method: str, url: str, body: Any, has_data: bool) -> str:
    # Also JavaScript: strict TypeScript accepts neither an `undefined` header nor `json()` of type unknown.
    headers = '"X-API-Key": `${process.env.KAIVOX_API_KEY}`'
    options = [f"  headers: {{ {headers} }},"]
    if body is not None:
        options = [f'  headers: {{ {headers}, "Content-Type": "application/json" }},']
        quoted = json.dumps(body, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        options.append(f"  body: JSON.stringify({quoted}),")
    if method != "GET":
        options.insert(0, f'  method: "{method}",')
    return "\n".join(
        [
            f'const response = await fetch("{url}", {{',
            *options,
            "});",
            "if (!response.ok) throw new Error(await response.text());",
            f"console.log({'JSON.parse(await response.text()).data' if has_data else 'response.status'});",
        ]
    )
