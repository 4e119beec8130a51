"""JSON encoders: UTF-8, compact or indented, without NaN."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def _default(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(
        f"{type(value).__name__} has no JSON representation: convert it in a serializer."
    )


_OPTIONS: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "default": _default}
_COMPACT = json.JSONEncoder(separators=(",", ":"), **_OPTIONS)
_PRETTY = json.JSONEncoder(indent=2, **_OPTIONS)


def encode(value: Any) -> bytes:
    """`value` as compact UTF-8 JSON."""
    return encode_as_text(value).encode()


def encode_as_text(value: Any) -> str:
    """`value` as compact JSON, not encoded yet."""
    return _COMPACT.encode(value)


def encode_pretty(value: Any) -> bytes:
    """`value` as indented UTF-8 JSON."""
    return _PRETTY.encode(value).encode()
