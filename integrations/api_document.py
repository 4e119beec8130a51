"""What the generators of the SDKs read: the OpenAPI document, the list of error codes, and the names that
resources, methods and errors have in every SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent

# Where the path does not give a good name: resource and method of an operation.
_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "delete_appointment": ("appointments", "cancel"),
    "delete_series": ("series", "cancel"),
    "delete_visit": ("visits", "cancel"),
    "set_appointment_status": ("appointments", "set_status"),
    "list_slots": ("slots", "list"),
    "get_business": ("business", "get"),
    "list_deliveries": ("deliveries", "list"),
    "get_delivery": ("deliveries", "get"),
    "redeliver_delivery": ("deliveries", "redeliver"),
    "get_webhooks_event_types": ("webhooks", "event_types"),
}
# The API's own description, and messages of voice engines, which are signed instead.
_LEFT_OUT: Final = frozenset({"get_index", "notify_call"})
_STATUS_CLASSES: Final = {
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    412: "PreconditionError",
    422: "UnprocessableError",
    429: "RateLimitError",
}


class Document:
    """The OpenAPI document."""

    def __init__(self) -> None:
        text = (ROOT / "openapi.json").read_text(encoding="utf-8")
        self.content: dict[str, Any] = json.loads(text)
        self.schemas: dict[str, Any] = self.content["components"]["schemas"]

    def resolve(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in item:
            found: Any = self.content
            for part in item["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            item = found
        return item

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for path, item in self.content["paths"].items():
            for method in ("get", "post", "put", "patch", "delete"):
                if method in item and item[method]["operationId"] not in _LEFT_OUT:
                    yield method.upper(), path, item[method]

    def success_schema(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        """The envelope of a response of success. Raises LookupError."""
        for status in ("200", "201", "202"):
            if status in operation["responses"]:
                response = self.resolve(operation["responses"][status])
                schema: Mapping[str, Any] = response["content"]["application/json"]["schema"]
                return self.resolve(schema)
        raise LookupError(f"{operation['operationId']} has no response of a success.")


def name_of(operation: Mapping[str, Any]) -> tuple[str, str]:
    """`list_holds` is `holds.list`, `test_webhook` is `webhooks.test`."""
    identifier, [tag] = operation["operationId"], operation["tags"]
    if identifier in _NAMES:
        return _NAMES[identifier]
    verb, _, rest = identifier.partition("_")
    if rest in ("hold", "holds"):
        return "holds", verb
    singular = tag.removesuffix("s")
    if rest in (tag, singular):
        return tag, verb
    # rotate_webhook_secret, list_webhook_deliveries, list_agent_tools
    return tag, f"{verb}_{rest.removeprefix(singular + '_')}"


@dataclass(frozen=True)
class ErrorCode:
    """A code of the API's errors, and the class of errors of its status."""

    code: str
    status: int
    cause: str
    fix: str

    @property
    def base(self) -> str:
        default = "ServerError" if self.status >= 500 else "BadRequestError"
        return _STATUS_CLASSES.get(self.status, default)


def error_codes() -> list[ErrorCode]:
    """Of the table “At a glance” of docs/errors.md, which a test compares with the server's codes."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \| (\d+) \| (.+?) \| (.+?) \| .+? \|$", text, re.M)
    if not rows:
        raise LookupError("docs/errors.md has no table of codes.")
    return [ErrorCode(code, int(status), cause, fix) for code, status, cause, fix in rows]


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\-]", name))
