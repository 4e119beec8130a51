"""Form fields of an operation's parameters and body, from the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any, Final

from kaivox.pages.docs.articles import line_as_html
from kaivox.pages.openapi_reader import Property

_INPUTS: Final = {"email": "email", "uri": "url", "date": "date", "tel": "tel"}


def form_field(item: Property, value: Any) -> dict[str, Any]:
    """What `pages/browsable/field.html` needs to show `item` with its present `value`."""
    widget = _widget(item, value)
    return {
        "item": item,
        "name": item.name,
        "kind": item.type,
        "widget": widget,
        "input": _INPUTS.get(item.format, "text"),
        "choices": ["true", "false"] if item.type == "boolean" else item.choices,
        "value": _form_value(value, widget),
        "help": line_as_html(item.description),
    }


def _widget(item: Property, value: Any) -> str:
    if item.where == "query":
        several = item.type == "array" or "," in str(value or "")
        return "select" if item.choices and not several else "text"
    if item.type == "array" and item.choices:
        return "checks"
    if item.type == "boolean" or item.choices:
        return "select"
    if item.type in ("object", "array", "any"):
        return "json"
    return "long" if int(item.schema.get("maxLength", 0)) > 300 else "text"


def _form_value(value: Any, widget: str) -> Any:
    if value is None:
        return [] if widget == "checks" else ""
    if widget == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return value if widget == "checks" else str(value)
