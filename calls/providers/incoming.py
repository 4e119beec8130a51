"""One HTTP request of a provider, and its body as JSON or as a form."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from calls.call_report import MAX_CALL, NotJson, UnparsableMessage
from kaivox.api.parsers import UNSTORABLE_TEXT, InvalidJson, decode_object

# Neither can be stored; a provider's text is stored without them rather than rejected.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# JSON can hold them escaped only: decoders reject the bare bytes.
_UNSTORABLE_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


@dataclass(frozen=True, slots=True)
class Incoming:
    """`headers` by lower-case name. `urls`: how the provider may have spelled our address."""

    body: bytes
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    urls: Sequence[str] = ()

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    def bearer_token(self) -> str:
        """The token of `Authorization: Bearer`, else empty."""
        scheme, _, token = self.header("Authorization").strip().partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def json(self, *, bounded: bool = False) -> dict[str, Any]:
        """The body as an object; `bounded`: decoded as bodies of the API are, which rejects text that
        cannot be stored. It is left out of others' messages.

        Raises UnparsableMessage.
        """
        try:
            value = decode_object(self.body)[0] if bounded else json.loads(self.body)
        except InvalidJson as error:
            raise NotJson(str(error)) from error
        except (ValueError, RecursionError) as error:
            raise NotJson(f"Not JSON: {error}"[:300]) from error
        if not isinstance(value, dict):
            raise NotJson("Not a JSON object.")
        if not _UNSTORABLE_ESCAPE.search(self.body):
            return value
        if bounded and (path := next(_unstorable(value, ""), None)):
            raise UnparsableMessage(f"{path}: {UNSTORABLE_TEXT}", errors={path: [UNSTORABLE_TEXT]})
        return dict(_storable(value))

    def form(self) -> dict[str, str]:
        """Form fields, or those of a flat JSON object. Raises UnparsableMessage."""
        if "json" in self.content_type:
            return {name: str(value) for name, value in self.json().items() if value is not None}
        return {name: _UNSTORABLE.sub("", value) for name, value in self.pairs()}

    def pairs(self) -> list[tuple[str, str]]:
        try:
            text = self.body.decode()
            return parse_qsl(text, keep_blank_values=True, max_num_fields=1000, errors="replace")
        except ValueError as error:
            raise UnparsableMessage("Not a form.") from error


def _unstorable(value: Any, path: str) -> Iterator[str]:
    """The path of each text that cannot be stored, like `transcript.3.text`; of a name that of its object."""
    if isinstance(value, str) and _UNSTORABLE.search(value):
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            if _UNSTORABLE.search(name):
                yield path or "name"
            yield from _unstorable(item, f"{path}.{name}".strip("."))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _unstorable(item, f"{path}.{place}")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value) if _UNSTORABLE.search(value) else value
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def same(one: str, other: str) -> bool:
    """Constant-time comparison of two texts; an empty one equals none."""
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())


def mapping_of(value: Any) -> Mapping[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of `value` where it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number_of_seconds(value: Any) -> float | None:
    """An offset; anything but a number of at most a day is unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= MAX_CALL.total_seconds() else None
