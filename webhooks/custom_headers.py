"""Custom headers of an endpoint, sent with every request: an API token, a routing key.

They may hold secrets, so they are encrypted at rest, and shown and logged with masked values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from kaivox.db.encrypted_fields import DecryptionError, UndecryptableValue
from kaivox.errors import Invalid
from webhooks.models import Endpoint

MAX_HEADERS: Final = 10
MAX_NAME: Final = 100
MAX_VALUE: Final = 1000
# Shown in place of every value. Sent back in a change, it leaves the stored value unchanged.
MASK: Final = "********"

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# Headers that frame the request, that a proxy reads, or that we set ourselves.
_RESERVED: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "date",
        "expect",
        "host",
        "keep-alive",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-request-id",
    }
)
_RESERVED_PREFIXES: Final = ("content-", "proxy-", "webhook-", "x-kaivox-")


def check_headers(
    headers: Mapping[str, str], *, stored: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`headers`, with each masked value replaced by the stored one. Raises Invalid."""
    problems = [problem for name, value in headers.items() for problem in _problems(name, value)]
    if len(headers) > MAX_HEADERS:
        problems.append(f"At most {MAX_HEADERS} headers.")
    if len({name.lower() for name in headers}) < len(headers):
        problems.append("A name occurs twice; names are compared without case.")
    stored_values = {name.lower(): value for name, value in (stored or {}).items()}
    resolved = {
        name: stored_values.get(name.lower(), "") if value == MASK else value
        for name, value in headers.items()
    }
    problems += [f"{name}: write its value." for name, value in resolved.items() if not value]
    if problems:
        raise Invalid(errors={"headers": problems})
    return resolved


def is_reserved(name: str) -> bool:
    """Whether the header frames the request, is read by a proxy, or is set by us."""
    lower = name.lower()
    return lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES)


def _problems(name: str, value: str) -> list[str]:
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        return [f"{name[:MAX_NAME]!r} is not a valid header name."]
    if is_reserved(name):
        return [f"{name} is set by KaiVox, or belongs to the connection."]
    if value and (not _VALUE.fullmatch(value) or len(value) > MAX_VALUE):
        return [f"{name}: write 1 to {MAX_VALUE} printable ASCII characters."]
    return []


def pack(headers: Mapping[str, str]) -> str | None:
    """`headers` as the column of an endpoint stores them."""
    return json.dumps(dict(headers)) if headers else None


def headers_of(endpoint: Endpoint) -> dict[str, str]:
    """The headers of `endpoint`. Raises DecryptionError if no configured SECRET_KEY decrypts them."""
    packed = endpoint.custom_headers
    if isinstance(packed, UndecryptableValue):
        raise DecryptionError
    headers: dict[str, str] = json.loads(packed) if packed else {}
    return headers


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    return dict.fromkeys(headers, MASK)


def masked_headers_of(endpoint: Endpoint) -> dict[str, str] | None:
    """As the API and the pages show them; None if they cannot be decrypted."""
    try:
        return masked(headers_of(endpoint))
    except DecryptionError:
        return None
