"""One call of an operation in curl, Python and JavaScript, from the OpenAPI document."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from kaivox.pages.openapi import Operation, Property

# What a reader of the demo can paste and run; the document's own examples come first.
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
# Optional fields without which a body says nothing.
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
    """Language → code. `base` is the server's address; `today` dates the examples."""
    path = operation.path
    for item in operation.parameters:
        if item.where == "path":
            path = path.replace(f"{{{item.name}}}", str(_example(item, today)))
    query = {item.name: _example(item, today) for item in operation.query if item.required}
    url = f"{base}{path}" + (f"?{urlencode(query)}" if query else "")
    body = body_of(operation, today) if operation.method in ("post", "patch") else None
    return {
        "curl": _curl(operation.method.upper(), url, body),
        "Python": _python(operation.method, url, body),
        "JavaScript": _javascript(operation.method.upper(), url, body),
    }


def body_of(operation: Operation, today: date) -> dict[str, Any] | None:
    """An example body: the document's, else its required fields."""
    if operation.body_example is not None:
        return operation.body_example
    shown = _SHOWN.get((operation.method, operation.path), ())
    chosen = [item for item in operation.body if item.required or item.name in shown]
    chosen.sort(key=lambda item: not item.required)
    return {item.name: _example(item, today) for item in chosen or operation.body[:1]} or None


def _example(item: Property, today: date) -> Any:
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


def _python(method: str, url: str, body: Any) -> str:
    arguments = [f'    "{url}",', '    headers={"X-API-Key": os.environ["KAIVOX_API_KEY"]},']
    if body is not None:
        arguments.append(f"    json={_python_literal(body)},")
    return "\n".join(
        [
            "import os",
            "import requests",
            "",
            f"answer = requests.{method}(",
            *arguments,
            "    timeout=10,",
            ")",
            "answer.raise_for_status()",
            'print(answer.json()["data"])',
        ]
    )


def _python_literal(body: Any) -> str:
    text = json.dumps(body, indent=4, ensure_ascii=False).replace("\n", "\n    ")
    for word, name in (("true", "True"), ("false", "False"), ("null", "None")):
        text = text.replace(f": {word}", f": {name}")
    return text


def _javascript(method: str, url: str, body: Any) -> str:
    headers = '"X-API-Key": process.env.KAIVOX_API_KEY'
    options = [f"  headers: {{ {headers} }},"]
    if body is not None:
        options = [f'  headers: {{ {headers}, "Content-Type": "application/json" }},']
        quoted = json.dumps(body, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        options.append(f"  body: JSON.stringify({quoted}),")
    if method != "GET":
        options.insert(0, f'  method: "{method}",')
    return "\n".join(
        [
            f'const answer = await fetch("{url}", {{',
            *options,
            "});",
            "if (!answer.ok) throw new Error(await answer.text());",
            "console.log((await answer.json()).data);",
        ]
    )
