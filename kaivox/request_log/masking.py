"""Masks secrets and card numbers in the paths, queries and bodies of the request log. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from kaivox.api.logging import escape_control, mask_keys
from kaivox.registry import Registry

MASK: Final = "[masked]"
MAX_BODY_BYTES: Final = 4_096

# Functions that mask personal data in a text, such as card numbers.
text_maskers: Final[Registry[Callable[[str], str]]] = Registry(
    "masking of texts in the request log"
)

# A longer body is not parsed: its beginning is masked as text.
_MAX_PARSED_BYTES: Final = 64 * 1024
# What `mask_body` reads of a body at most: enough to see that it is a longer one.
MAX_READ_BYTES: Final = _MAX_PARSED_BYTES + 1
# Longer than any value that is masked, so that none is cut in two before it is recognised.
_MARGIN: Final = 512

_SECRET: Final = (
    r"secret|password|passwd|token|authorization|api[_-]?key|credential|cvv|cvc|ics_url"  # noqa: S105 - names
)
_IS_SECRET = re.compile(_SECRET, re.IGNORECASE)
# `"name": "value"` in a body that is not valid JSON, and `name=value` in forms.
_IN_TEXT = re.compile(
    rf'("[^"]*(?:{_SECRET})[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"?|'
    rf"(\b\w*(?:{_SECRET})\w*=)[^&\s]+",
    re.IGNORECASE,
)
_HEADERS_IN_TEXT = re.compile(r'("headers"\s*:\s*)\{[^}]*\}?')
_SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
_USER_INFO = re.compile(r"(\bhttps?://)[^/\s\"@]+@", re.IGNORECASE)
_SHORTEST_CARD: Final = 13  # digits

# What a path or query has if anything in it may need masking. Looked for first: masking takes 30 µs, and every
# request has a path.
_HINT = re.compile(
    rf"kv_|whsec_|calendar|[@%]|{_SECRET}|(?:\d[^\d&]{{0,9}}){{{_SHORTEST_CARD}}}", re.IGNORECASE
)

_ID = re.compile(r"/\d+(?=/|$)")


def mask_text(text: str) -> str:
    """`text` without API keys, signing secrets, passwords in URLs, and what `text_maskers` find."""
    text = _USER_INFO.sub(rf"\1{MASK}@", _SIGNING_SECRET.sub(MASK, mask_keys(text)))
    for mask in text_maskers.all():
        text = mask(text)
    return text


def mask_path(path: str) -> str:
    return escape_control(mask_text(path) if _HINT.search(path) else path)


def template_of(path: str) -> str:
    """`path` with `{id}` in the place of each id."""
    return _ID.sub("/{id}", path)


def mask_query(query: str) -> str:
    """A query string with the values of secrets and of card numbers masked."""
    if not _HINT.search(query):
        return escape_control(query)
    pairs = parse_qsl(query, keep_blank_values=True)
    masked = [
        (mask_text(name), MASK if _IS_SECRET.search(name) else mask_text(value))
        for name, value in pairs
    ]
    return escape_control(query if masked == pairs else urlencode(masked, safe="[]"))


def mask_body(body: bytes) -> str:
    """The first 4 kB of a body as text, masked. JSON is masked value by value."""
    if not body:
        return ""
    value = _parsed(body)
    if value is None:
        text = body[: MAX_BODY_BYTES + _MARGIN].decode("utf-8", "replace")
        text = _HEADERS_IN_TEXT.sub(rf'\1"{MASK}"', text)
        text = _IN_TEXT.sub(
            lambda found: f'{found[1]}"{MASK}"' if found[1] else f"{found[2]}{MASK}", text
        )
        text = mask_text(text)
    else:
        text = json.dumps(_masked(value), ensure_ascii=False)
    # NUL and halves of surrogate pairs cannot be stored.
    encoded = text.replace("\x00", "\\u0000").encode("utf-8", "replace")
    return encoded[:MAX_BODY_BYTES].decode("utf-8", "ignore")


def _parsed(body: bytes) -> Any:
    """The body as an object or list; None for anything else."""
    if len(body) > _MAX_PARSED_BYTES:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _masked(value: Any, name: str = "") -> Any:
    if value is not None and _IS_SECRET.search(name):
        return MASK
    if isinstance(value, dict):
        if name == "headers":  # of a webhook endpoint: any of them may be a credential
            return dict.fromkeys(map(mask_text, value), MASK)
        return {mask_text(key): _masked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, name) for inner in value]
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, int | float) and len(str(value)) >= _SHORTEST_CARD:
        masked = mask_text(str(value))
        return value if masked == str(value) else masked
    return value
