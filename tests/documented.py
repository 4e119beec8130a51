"""Validates each response of the suite, with its headers, against openapi.json.

`conftest` calls `check` after every request of the test clients, so a response that is not documented
fails the test that caused it. It is stricter than the document in one point: responses hold no field
that the document does not name. (Clients must accept new fields, so the document leaves objects open.)
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from django.http import HttpResponseBase

DOCUMENT = Path(__file__).parent.parent / "openapi.json"
# Made up by tests/api/sample_resource.py.
_ALWAYS = {
    "X-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
}
_NOT_DOCUMENTED = re.compile(r"/api/v1/books\b")


def check(method: str, path: str, response: HttpResponseBase) -> None:
    """Raises AssertionError where the response is not as documented."""
    if not path.startswith("/api/v1") or _NOT_DOCUMENTED.match(path):
        return
    here = f"{method} {path} → {response.status_code}"
    item = operations_at(path.removesuffix("/"))
    operation = (item or {}).get({"HEAD": "GET"}.get(method, method).lower())
    if operation is None:
        _check_undocumented(here, method, item, response)
        return
    documented = operation["responses"].get(str(response.status_code))
    assert documented is not None, (
        f"{here}: the document has no such response: {body_of(response)!r}"
    )
    _check_headers(here, resolve(documented), response)
    _check_content(here, method, resolve(documented), response)


def _check_undocumented(here: str, method: str, item: Any, response: Any) -> None:
    if method == "OPTIONS" and response.status_code < 300:
        return
    assert response.status_code >= 400, f"{here}: the document has no such operation."
    if not _is_page(response):
        _validate(here, {"$ref": "#/components/schemas/ErrorResponse"}, body_of(response))


def _check_headers(here: str, documented: dict[str, Any], response: Any) -> None:
    named = documented.get("headers", {})
    for name, header in document()["components"]["headers"].items():
        value = response.headers.get(name)
        if value is None:
            promised = name in named and name in _ALWAYS and response.status_code < 300
            assert not promised, f"{here}: the document promises the header {name}."
        else:
            assert name in named, f"{here}: the document does not know the header {name}."
            typed = int(value) if header["schema"].get("type") == "integer" else value
            jsonschema_rs.validate(header["schema"], typed)


def _check_content(here: str, method: str, documented: Any, response: Any) -> None:
    content = documented.get("content", {})
    if method == "HEAD" or _is_page(response):
        return
    if not content:
        assert response.status_code == 304 or not body_of(response), f"{here}: no body is expected."
        return
    media_type = response["Content-Type"].partition(";")[0]
    assert media_type in content, f"{here}: {media_type} is not documented."
    if media_type == "application/json":
        _validate(here, content[media_type]["schema"], body_of(response))


def _is_narrowed(body: Any) -> bool:
    """Whether a key without the read scope asked, so that `data` holds some fields alone."""
    return bool(body.get("success") and "required_scope" in body["meta"])


def _is_page(response: Any) -> bool:
    return bool(response.headers.get("Content-Type", "").startswith("text/html"))


def body_of(response: Any) -> bytes:
    if response.streaming:
        return b""
    body = bytes(response.content)
    return gzip.decompress(body) if response.headers.get("Content-Encoding") == "gzip" else body


def _validate(here: str, schema: dict[str, Any], body: bytes) -> None:
    content = json.loads(body)
    narrowed = _is_narrowed(content)
    if narrowed:
        del content["meta"]["required_scope"]
    try:
        validator(json.dumps(schema, sort_keys=True), narrowed).validate(content)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(step) for step in error.instance_path)
        raise AssertionError(f"{here}: not as documented at {where}: {error.message}") from error


@cache
def validator(schema: str, narrowed: bool = False) -> Any:
    components = strict_components()
    if narrowed:
        components = copy.deepcopy(components)
        _require_nothing(components)
    return jsonschema_rs.Draft202012Validator(
        {**json.loads(schema), "components": components}, validate_formats=True
    )


def _require_nothing(part: Any) -> None:
    if isinstance(part, dict):
        if isinstance(part.get("required"), list):
            del part["required"]
        for inner in part.values():
            _require_nothing(inner)
    elif isinstance(part, list):
        for inner in part:
            _require_nothing(inner)


@cache
def document() -> dict[str, Any]:
    return dict(json.loads(DOCUMENT.read_text(encoding="utf-8")))


@cache
def strict_components() -> dict[str, Any]:
    """The components, every object closed unless it says otherwise."""
    schemas = copy.deepcopy(document()["components"]["schemas"])
    _close(schemas)
    return {"schemas": schemas}


def _close(part: Any) -> None:
    if isinstance(part, dict):
        if "properties" in part and "allOf" not in part and part.get("type") == "object":
            part.setdefault("additionalProperties", False)
        for inner in part.values():
            _close(inner)
    elif isinstance(part, list):
        for inner in part:
            _close(inner)


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Fixed paths before those with variables: `/appointments/slots` is no id."""
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in paths]


@cache
def operations_at(path: str) -> dict[str, Any] | None:
    for pattern, template in _templates():
        if pattern.fullmatch(path):
            return dict(document()["paths"][template])
    return None


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """`part`, or what it refers to."""
    if "$ref" not in part:
        return part
    found: Any = document()
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)
