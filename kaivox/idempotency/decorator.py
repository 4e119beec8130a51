"""Idempotent POSTs: `kaivox.api.viewsets` wraps a handler where `Idempotency-Key` was sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.encoders import encode
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.values import IDEMPOTENCY_KEY, LONGEST_IDEMPOTENCY_KEY
from kaivox.db.encrypted_fields import UndecryptableValue
from kaivox.db.transactions import write_transaction
from kaivox.idempotency.operations import KeyReused, acquire, release, store_response

_HEADERS: Final = ("Location",)
_UNREADABLE: Final = "The request succeeded, but its response can no longer be read."


def idempotent(
    view: Any, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
) -> Response:
    """Runs `handler` once per key; a repeat gets the first response with `Idempotent-Replayed`, and
    without the secrets that it showed.

    What `handler` raises rolls back the change and releases the key. Raises KeyReused, InProgress.
    """
    record = acquire(
        business=view.business,
        key=_key_of(request),
        fingerprint=_fingerprint(request),
        scopes=_scopes_of(request),
        now=timezone.now(),
    )
    if record.answer is not None:
        if isinstance(record.answer, UndecryptableValue):
            raise KeyReused(errors={"Idempotency-Key": [_UNREADABLE]})
        stored = json.loads(record.answer)
        _reject_other_scopes(record.scopes, stored, request)
        return _replay(record.status or 200, stored)
    try:
        with write_transaction():
            response = handler(request, *args, **kwargs)
            store_response(record, status=response.status_code, answer=_serialized(response))
    except BaseException:
        release(record)
        raise
    return response


def _key_of(request: Request) -> str:
    key: str = request.META["HTTP_IDEMPOTENCY_KEY"].strip(" \t")
    if len(key) > LONGEST_IDEMPOTENCY_KEY or not re.fullmatch(IDEMPOTENCY_KEY, key):
        raise ValidationError(
            {"Idempotency-Key": [f"Write 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters."]}
        )
    return key


def _fingerprint(request: Request) -> str:
    """Of method, path, query and body; the body by value, so that spacing does not matter."""
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    path, query = request.path.rstrip("/"), request.META.get("QUERY_STRING", "")
    return hashlib.sha256(f"{request.method} {path}?{query}\n{body}".encode()).hexdigest()


def _scopes_of(request: Request) -> list[str]:
    caller: Any = request.auth
    return list(caller.scopes)


def _reject_other_scopes(
    scopes: list[str] | None, stored: dict[str, Any], request: Request
) -> None:
    """Raises KeyReused where the first caller may read more than this one. A response that showed a
    secret is for callers with the very same scopes."""
    if scopes is None:
        return
    mine, first = set(_scopes_of(request)), set(scopes)
    if mine != first if stored.get("secret_fields") else not first <= mine:
        raise KeyReused(errors={"Idempotency-Key": ["Used by a caller with other scopes before."]})


def _serialized(response: Response) -> str:
    secret = list(getattr(response, "secret_fields", ()))
    data = response.data
    if secret and data is not None:
        data = {name: value for name, value in data.items() if name not in secret}
    stored = {
        "data": data,
        "secret_fields": secret,
        "meta": getattr(response, "meta", {}),
        "headers": {name: response[name] for name in _HEADERS if name in response},
    }
    return encode(stored).decode()


def _replay(status: int, stored: dict[str, Any]) -> EnvelopeResponse:
    headers = {**stored["headers"], "Idempotent-Replayed": "true"}
    return EnvelopeResponse(stored["data"], meta=stored["meta"], status=status, headers=headers)
