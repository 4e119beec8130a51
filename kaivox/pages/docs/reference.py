"""The API reference: one page for each resource of the OpenAPI document, with forms to try requests.

The forms send requests from the reader's browser, with the reader's own API key. Pages are rendered
without knowledge of the reader, so one rendering serves everyone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any, Final

from django.conf import settings
from django.template.loader import render_to_string

from kaivox.pages.docs.articles import line_as_html
from kaivox.pages.docs.samples import as_code, body_of, example_of, samples
from kaivox.pages.openapi_forms import form_field
from kaivox.pages.openapi_reader import Operation, Property, document, operations, resolve

# Order of the pages; other resources follow.
_FIRST: Final = (
    "appointments", "series", "visits", "customers", "calls", "staff", "services", "resources", "closures",
    "calendars", "waitlist",
    "events", "webhooks", "business", "agents", "voice",
)  # fmt: skip
# Errors of one operation alone; the others can happen at any request and have a page of their own.
_SPECIFIC: Final = ("404", "409", "412", "422")
_CODE: Final = re.compile(r"`([a-z_]+)`")

# Kind of row whose id, or time, fills a field. `try_it.js` reads the rows with the reader's key.
_ROWS: Final = {
    "service_id": "service",
    "service_ids": "service",
    "staff_id": "staff",
    "customer_id": "customer",
    "start_time": "slot",
}
# The same for fields of one operation.
_OWN_ROWS: Final = {
    ("update_appointment", "start_time"): "move",
    ("create_customer", "phone"): "new-phone",
    ("create_customer", "email"): "new-email",
    ("create_visit", "services"): "visit",
    ("create_waitlist", "date_from"): "day",
    ("take_staff_out", "end_time"): "slot-end",
}
# Fields that are filled beside the required ones, by `operationId`.
_FILLED: Final[Mapping[str, tuple[str, ...]]] = {
    "create_appointment": ("start_time",),
    "update_appointment": ("start_time",),
    "create_hold": ("start_time",),
    "create_series": ("start_time", "count"),
    "preview_series": ("start_time", "count"),
    "update_series": ("start_time",),
    "create_visit": ("start_time",),
    "update_visit": ("start_time",),
    "create_customer": ("phone", "email"),
    "update_customer": ("notes",),
    "create_webhook": ("event_types",),
    "update_webhook": ("max_in_flight",),
    "test_webhook": ("event_type",),
    "set_appointment_status": ("status",),
    "update_hold": ("expires_in_seconds",),
}


@dataclass(frozen=True)
class Resource:
    """A tag of the document; `slug` is its path below `/docs/reference/`."""

    slug: str
    summary: str
    operations: tuple[Operation, ...]

    @property
    def title(self) -> str:
        return self.slug.capitalize()

    @property
    def url(self) -> str:
        return f"/docs/reference/{self.slug}"


@cache
def resources() -> tuple[Resource, ...]:
    """All resources in the order of the reference."""
    texts = {tag["name"]: tag.get("description", "") for tag in document().get("tags", ())}
    found: dict[str, list[Operation]] = {}
    for operation in operations():
        found.setdefault(operation.tag, []).append(operation)
    names = sorted(found, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return tuple(Resource(name, texts.get(name, ""), tuple(found[name])) for name in names)


def find_resource(slug: str) -> Resource | None:
    return next((item for item in resources() if item.slug == slug), None)


@lru_cache(maxsize=32)
def page(slug: str, today: date) -> str:
    """The page of a resource; `today` dates the examples. Raises StopIteration for an unknown slug."""
    resource = next(item for item in resources() if item.slug == slug)
    return render_to_string(
        "pages/docs/reference.html",
        {
            "place": "reference",
            "resource": resource,
            "resources": resources(),
            "entries": [_entry(operation, today) for operation in resource.operations],
            "objects": _objects(resource),
        },
    )


def _entry(operation: Operation, today: date) -> dict[str, Any]:
    return {
        "operation": operation,
        "title": line_as_html(operation.summary),
        "about": [
            line_as_html(part.replace("\n", " "))
            for part in operation.description.split("\n\n")[1:]
            if part.strip()
        ],
        "parameters": [_row(item) for item in operation.parameters],
        "body": [_row(item) for item in operation.body],
        "code": as_code(samples(operation, settings.PUBLIC_URL, today)),
        "success": _success(operation),
        "errors": _errors(operation),
        "form": _form(operation, today),
    }


def _row(item: Property) -> dict[str, Any]:
    return {"item": item, "type": _type(item.schema), "text": line_as_html(_text(item))}


def _text(item: Property) -> str:
    new = [f"`{value}`" for value in item.choices if f"`{value}`" not in item.description]
    if len(new) < 2:
        return item.description
    return f"{item.description} One of {', '.join(new)}.".strip()


def _type(schema: Mapping[str, Any]) -> str:
    """`string`, `integer or null`, `array of Slot`: what a value of `schema` is."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    options = [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())]
    if options:
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    kinds = schema.get("type", "string" if "enum" in schema else "any")
    names = [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    inner = f" of {_type(schema['items'])}" if schema.get("items") else ""
    known = {"array": f"array{inner}", "string": str(schema.get("format", "string"))}
    return " or ".join(known.get(name, name) for name in names)


def _success(operation: Operation) -> dict[str, Any]:
    """Status, type of `data` and an example of the operation's first success."""
    status, raw = next(item for item in operation.raw["responses"].items() if item[0][0] == "2")
    media = resolve(raw).get("content", {}).get("application/json", {})
    data = resolve(media.get("schema", {})).get("properties", {}).get("data", {})
    example = media.get("example")
    return {
        "status": status,
        "type": _type(data),
        "example": json.dumps(example, indent=2, ensure_ascii=False) if example else "",
    }


def _errors(operation: Operation) -> list[tuple[str, list[str]]]:
    found = [
        (status, _CODE.findall(resolve(raw)["description"].partition("Codes:")[2]))
        for status, raw in sorted(operation.raw["responses"].items())
        if status in _SPECIFIC
    ]
    return [(status, codes) for status, codes in found if codes]


def _objects(resource: Resource) -> list[dict[str, Any]]:
    """The schemas that responses of `resource` show, with those inside them."""
    names: dict[str, None] = {}
    for operation in resource.operations:
        for status, raw in operation.raw["responses"].items():
            media = resolve(raw).get("content", {}).get("application/json", {})
            if status[0] == "2":
                _collect(resolve(media.get("schema", {})).get("properties", {}).get("data"), names)
    schemas = document()["components"]["schemas"]
    return [{"name": name, **_object(schemas[name])} for name in names]


def _collect(part: Any, names: dict[str, None]) -> None:
    """Adds the names of the objects to which `part` refers, directly or through one of them."""
    if isinstance(part, list):
        for inner in part:
            _collect(inner, names)
    elif isinstance(part, dict):
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name and name not in names:
            schema = document()["components"]["schemas"][name]
            if "properties" in schema:
                names[name] = None
            _collect(schema, names)
        for key, inner in part.items():
            if key not in ("example", "examples", "enum"):
                _collect(inner, names)


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    for name, raw in schema["properties"].items():
        found = resolve(raw)
        text = str(raw.get("description") or found.get("description", ""))
        rows.append({**_row(Property(name, "body", found, False, text)), "type": _type(raw)})
    return {"text": line_as_html(schema.get("description", "")), "rows": rows}


def _form(operation: Operation, today: date) -> dict[str, Any] | None:
    """The fields of the form; None where a request needs more than an API key."""
    if operation.is_signed:
        return None
    body = body_of(operation, today) or {}
    filled = _FILLED.get(operation.anchor, ())
    fields = []
    for item in (*operation.parameters, *operation.body):
        wanted = item.required or item.name in filled
        example = body.get(item.name, example_of(item, today)) if wanted else None
        field = form_field(item, example)
        field["fill"] = _fill(operation, item) if wanted else ""
        field["help"] = ""  # it is in the table above the form
        if field["fill"]:
            field["value"] = ""
        fields.append(field)
    shown = [field for field in fields if field["item"].required or field["item"].name in filled]
    return {"fields": shown, "more": [field for field in fields if field not in shown]}


def _fill(operation: Operation, item: Property) -> str:
    if item.where == "path":
        # `/api/v1/webhooks/deliveries/{id}` → `deliveries`.
        return operation.path.partition("/{")[0].rpartition("/")[2]
    return _OWN_ROWS.get((operation.anchor, item.name)) or _ROWS.get(item.name, "")
