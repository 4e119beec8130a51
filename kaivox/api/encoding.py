"""JSON as we write it: UTF-8, compact, no NaN. And the tag of what was written."""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def _default(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in our JSON: give it one in a serializer.")


_FORM: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "default": _default}
_COMPACT = json.JSONEncoder(separators=(",", ":"), **_FORM)
_FOR_PEOPLE = json.JSONEncoder(indent=2, **_FORM)


def encode(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON."""
    return encode_as_text(value).encode()


def encode_as_text(value: Any) -> str:
    """`value` as compact JSON, not encoded yet."""
    return _COMPACT.encode(value)


def encode_for_people(value: Any) -> bytes:
    """`value` as indented UTF-8 JSON."""
    return _FOR_PEOPLE.encode(value).encode()


def etag_of(encoded: bytes) -> str:
    """A strong entity tag (RFC 9110 §8.8.3) of an encoded representation."""
    return f'"{hashlib.blake2b(encoded, digest_size=12).hexdigest()}"'


def tags_of(header: str) -> set[str]:
    """The entity tags of `If-Match` or `If-None-Match`, without the `W/` that a compressing proxy
    puts in front of a strong tag of ours: the representation behind it is the same."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
