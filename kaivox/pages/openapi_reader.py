"""Reads operations of openapi.json for the pages, which therefore never differ from the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from django.conf import settings
from django.utils.safestring import SafeString

from kaivox.line_breaks import with_breaks

METHODS: Final = ("get", "post", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """openapi.json of the repository; a test compares it with what the code generates.

    It is read because generating it would cost the first visitor of a process a second.
    """
    return dict(json.loads((settings.BASE_DIR / "openapi.json").read_bytes()))


@dataclass(frozen=True)
class Property:
    """A parameter or a field of a body, flat enough for a table or a form."""

    name: str
    where: str  # "query", "path", "body"
    schema: Mapping[str, Any]
    required: bool
    description: str

    @property
    def type(self) -> str:
        kind = self.schema.get("type", "")
        if isinstance(kind, list):  # OpenAPI 3.1: ["string", "null"]
            kind = next((item for item in kind if item != "null"), "")
        return str(kind or ("string" if self.choices else "any"))

    @property
    def choices(self) -> list[Any]:
        values = self.schema.get("enum") or self.schema.get("items", {}).get("enum") or []
        return [value for value in values if value not in ("", None)]

    @property
    def format(self) -> str:
        return str(self.schema.get("format", ""))

    @property
    def nullable(self) -> bool:
        kind = self.schema.get("type")
        return isinstance(kind, list) and "null" in kind


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    raw: Mapping[str, Any]

    @property
    def anchor(self) -> str:
        return str(self.raw.get("operationId") or f"{self.method}-{self.path}")

    @property
    def short_path(self) -> str:
        return self.path.removeprefix("/api/v1") or "/"

    @property
    def address(self) -> SafeString:
        """`path` as HTML, for a narrow screen."""
        return with_breaks(self.path)

    @property
    def breaking_path(self) -> SafeString:
        """`short_path` as HTML, for narrow columns."""
        return with_breaks(self.short_path)

    @property
    def tag(self) -> str:
        return str(next(iter(self.raw.get("tags", ())), "Other"))

    @property
    def summary(self) -> str:
        """One line, in Markdown, without a full stop."""
        first = self.description.partition("\n\n")[0].replace("\n", " ")
        return str(self.raw.get("summary") or first.partition(". ")[0]).rstrip(".")

    @property
    def description(self) -> str:
        return str(self.raw.get("description", ""))

    @cached_property
    def parameters(self) -> list[Property]:
        """Those of path and query; headers and the key are documented elsewhere."""
        found = [resolve(raw) for raw in self.raw.get("parameters", ())]
        return [
            Property(
                raw["name"],
                raw["in"],
                resolve(raw.get("schema", {})),
                bool(raw.get("required")),
                str(raw.get("description", "")),
            )
            for raw in found
            if raw["in"] in ("query", "path") and raw["name"] not in ("api_key", "format")
        ]

    @property
    def is_signed(self) -> bool:
        """Whether requests are authenticated by a signature, not by an API key."""
        return {"Signature": []} in self.raw.get("security", ())

    @property
    def has_data(self) -> bool:
        """Whether the response has a body where the request did something: 204 has none."""
        return any(status[0] == "2" and status != "204" for status in self.raw["responses"])

    @property
    def query(self) -> list[Property]:
        return [item for item in self.parameters if item.where == "query"]

    @cached_property
    def _media(self) -> Mapping[str, Any]:
        body = resolve(self.raw.get("requestBody", {}))
        return dict(body.get("content", {}).get("application/json", {}))

    @cached_property
    def body(self) -> list[Property]:
        """The fields, required ones first."""
        schema = resolve(self._media.get("schema", {}))
        required = set(schema.get("required", ()))
        found = [
            Property(
                name,
                "body",
                resolved := resolve(raw),
                name in required,
                str(raw.get("description") or resolved.get("description", "")),
            )
            for name, raw in schema.get("properties", {}).items()
        ]
        return sorted(found, key=lambda item: not item.required)

    @cached_property
    def body_example(self) -> dict[str, Any] | None:
        """The document's own example of the body, where it has one."""
        if "example" in self._media:
            return dict(self._media["example"])
        for example in self._media.get("examples", {}).values():
            return dict(example["value"])
        return None


def operations() -> Iterator[Operation]:
    """All operations, in the document's order."""
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(method, path, item[method])


def operations_at(path: str) -> list[Operation]:
    """Operations at the URL `path`; `/api/v1/appointments/slots` never matches `/{id}`."""
    path = path.rstrip("/")
    templates = sorted(
        {operation.path for operation in operations()}, key=lambda text: text.count("{")
    )
    for template in templates:
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template.rstrip("/")))
        if re.fullmatch(pattern, path):
            return [operation for operation in operations() if operation.path == template]
    return []


def resolve(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`raw` with its reference followed; of alternatives the one that is not null."""
    while True:
        if "$ref" in raw:
            target: Any = document()
            for step in raw["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            raw = {**target, **{key: value for key, value in raw.items() if key != "$ref"}}
        elif len(raw.get("allOf", ())) == 1:
            (only,) = raw["allOf"]
            raw = {**only, **{key: value for key, value in raw.items() if key != "allOf"}}
        elif "oneOf" in raw or "anyOf" in raw:
            kind = "oneOf" if "oneOf" in raw else "anyOf"
            rest = {key: value for key, value in raw.items() if key != kind}
            options = [resolve(option) for option in raw[kind]]
            real = [option for option in options if option.get("type") != "null"]
            enum = [value for option in real for value in option.get("enum", ())]
            raw = {**(real[0] if real else {}), **rest, **({"enum": enum} if enum else {})}
        else:
            return dict(raw)
