"""Resources: a class for each, synchronous and asynchronous, with the methods of its operations."""

from __future__ import annotations

import re

from api_document import camel

from generator.methods import Argument, Method
from generator.python_source import HEADER, docstring


def resources_source(methods: list[Method]) -> str:
    resources = sorted({method.resource for method in methods})
    models = sorted(
        {method.model for method in methods} | {method.meta for method in methods if method.meta}
    )
    lines = [
        HEADER,
        "import builtins",
        "from collections.abc import Mapping, Sequence",
        "from datetime import date, datetime",
        "from decimal import Decimal",
        "from functools import cached_property",
        "from typing import Any, Literal",
        "",
        f"from kaivox._generated.models import {', '.join(name for name in models if name != 'Model')}",
        "from kaivox._model import NOT_GIVEN, Items, Model, NotGiven, path_part",
        "from kaivox._pages import AsyncChanges, AsyncPages, Changes, Pages",
        "from kaivox._transport import ApiCall, AsyncTransport, SyncTransport, items_of, object_of",
        "",
    ]
    for is_async in (False, True):
        for resource in resources:
            own = [method for method in methods if method.resource == resource]
            lines += _resource_source(resource, own, is_async=is_async)
        lines += _client_attributes(resources, is_async=is_async)
    return "\n".join(lines)


def _resource_source(resource: str, methods: list[Method], *, is_async: bool) -> list[str]:
    prefix = _prefix(is_async)
    lines = [
        "",
        f"class {prefix}{camel(resource)}Resource:",
        f'    """Methods of `client.{resource}`."""',
        "",
        f"    def __init__(self, transport: {_transport(is_async)}) -> None:",
        "        self._transport = transport",
    ]
    for method in methods:
        lines += _method_source(method, is_async=is_async)
        if any(argument.name == "updated_since" for argument in method.arguments):
            lines += _changes_source(method, prefix)
    return lines


def _client_attributes(resources: list[str], *, is_async: bool) -> list[str]:
    prefix = _prefix(is_async)
    lines = [
        "",
        f"class {prefix}Resources:",
        '    """The resources of a client, as attributes."""',
        "",
        f"    _transport: {_transport(is_async)}",
    ]
    for resource in resources:
        name = f"{prefix}{camel(resource)}Resource"
        lines += ["", "    @cached_property", f"    def {resource}(self) -> {name}:"]
        lines += [f"        return {name}(self._transport)"]
    return lines


def _prefix(is_async: bool) -> str:
    return "Async" if is_async else ""


def _transport(is_async: bool) -> str:
    return "AsyncTransport" if is_async else "SyncTransport"


def _method_source(method: Method, *, is_async: bool) -> list[str]:
    prefix = _prefix(is_async)
    pieces = [argument.declaration() for argument in method.placed("path")]
    named = [argument for argument in method.arguments if argument.place != "path"]
    # Required ones first; None is the default of headers alone.
    named.sort(key=lambda argument: not argument.is_required)
    if named:
        pieces += ["*", *(argument.declaration() for argument in named)]
    request = _request_source(method)
    if method.is_paged:
        start = f"    def {method.name}"
        returned = f"{prefix}Pages[{method.model}]"
        query = _mapping("query", method)
        body = f"return {prefix}Pages(self._transport, {_path(method)}, {query or '{}'}, {method.model})"
    else:
        start = f"    {'async ' if is_async else ''}def {method.name}"
        response = f"{'await ' if is_async else ''}self._transport.send({request})"
        if method.meta:
            returned = f"Items[{method.model}, {method.meta}]"
            body = f"return items_of({response}, {method.model}, {method.meta})"
        elif method.deletes:
            returned = "None"
            body = response
        else:
            returned = method.model
            body = f"return object_of({response}, {method.model})"
    signature = f"{start}(self, {', '.join(pieces)}) -> {returned}:".replace("(self, )", "(self)")
    # Inside such a class `list` is its method.
    signature = signature.replace(" list[", " builtins.list[")
    return ["", signature, _method_docstring(method, named), f"        {body}"]


def _changes_source(method: Method, prefix: str) -> list[str]:
    left_out = ("updated_since", "ordering", "page", "per_page", "cursor")
    filters = [a for a in method.placed("query") if a.name not in left_out]
    pieces = ["updated_since: datetime | str | None = None"]
    if filters:
        pieces += ["*", *(argument.declaration() for argument in filters)]
    query = ", ".join(f'"{a.wire_name}": {a.name}' for a in filters)
    return [
        "",
        f"    def sync(self, {', '.join(pieces)}) -> {prefix}Changes[{method.model}]:",
        '        """Rows that changed since an instant (default: all), oldest change first.',
        "",
        "        Store each by its id. Afterwards store `updated_since` of the returned object with the",
        "        rows, and pass it the next time: the last two seconds are repeated, none is skipped.",
        '        """',
        f"        return {prefix}Changes(self._transport, {_path(method)}, {{{query}}}, {method.model}, updated_since)",
    ]


def _request_source(method: Method) -> str:
    pieces = [f'"{method.verb}"', _path(method)]
    for place, name in (("query", "query"), ("body", "body"), ("header", "headers")):
        mapping = _mapping(place, method)
        if mapping:
            pieces.append(f"{name}={mapping}")
    if method.deletes:
        pieces.append("deletes=True")
    return f"ApiCall({', '.join(pieces)})"


def _path(method: Method) -> str:
    texts = {argument.name for argument in method.placed("path") if argument.type == "str"}
    path = re.sub(
        r"\{(\w+)\}", lambda m: f"{{path_part({m[1]})}}" if m[1] in texts else m[0], method.path
    )
    return f'f"{path}"' if "{" in path else f'"{path}"'


def _mapping(place: str, method: Method) -> str:
    items = ", ".join(f'"{a.wire_name}": {a.name}' for a in method.placed(place))
    return f"{{{items}}}" if items else ""


def _method_docstring(method: Method, named: list[Argument]) -> str:
    lines = [f"{_one_line(a.name)}: {_one_line(a.text)}" for a in named if a.text]
    text = method.text.strip()
    if lines:
        text += "\n\n" + "\n".join(f"`{line.replace(':', '`:', 1)}" for line in lines)
    return docstring(text, 8)


def _one_line(text: str) -> str:
    return " ".join(text.split())
