"""JSON as highlighted HTML, with ids and URLs as links."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

_RESOURCES: Final = {
    "customer_id": "customers",
    "staff_id": "staff",
    "service_id": "services",
    "appointment_id": "appointments",
    "call_id": "calls",
    "existing_id": "customers",
}


def as_html(value: Any, *, link_of_id: Callable[[Any], str | None] = lambda _: None) -> SafeString:
    """`value` as HTML for a `<pre>`. `link_of_id` returns the URL of a row for its `id`."""
    return mark_safe(_write(value, "", "", link_of_id))  # noqa: S308 - every leaf is escaped


def _write(value: Any, name: str, indent: str, link_of_id: Callable[[Any], str | None]) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [
            f'{inner}<span class="nt">{_text(key)}</span>: {_write(item, key, inner, link_of_id)}'
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        items = [inner + _write(item, name, inner, link_of_id) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return _leaf(value, name, link_of_id)


def _leaf(value: Any, name: str, link_of_id: Callable[[Any], str | None]) -> str:
    kind = "s" if isinstance(value, str) else "mi" if _is_number(value) else "kc"
    shown = format_html('<span class="{}">{}</span>', kind, mark_safe(_text(value)))  # noqa: S308
    url = _url(value, name, link_of_id)
    return format_html('<a href="{}">{}</a>', url, shown) if url else shown


def _url(value: Any, name: str, link_of_id: Callable[[Any], str | None]) -> str | None:
    if name == "id" and value is not None:
        return link_of_id(value)
    if name in _RESOURCES and isinstance(value, int):
        return f"/api/v1/{_RESOURCES[name]}/{value}"
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        return value
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return escape(json.dumps(value, ensure_ascii=False))
