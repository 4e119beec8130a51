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


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default
)


def encode(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON."""
    return _ENCODER.encode(value).encode()


def etag_of(encoded: bytes) -> str:
    """A strong entity tag (RFC 9110 §8.8.3) of an encoded representation."""
    return f'"{hashlib.blake2b(encoded, digest_size=12).hexdigest()}"'
