"""Round every POST with an `Idempotency-Key`: `kaivox.api.viewsets` calls `remember`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.encoding import encode
from kaivox.api.responses import Answer
from kaivox.businesses.write_lock import write_transaction
from kaivox.idempotency.operations import give_back, keep_answer, take_key

LONGEST_KEY: Final = 255
_HEADERS: Final = ("Location",)


def remember(
    view: Any, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
) -> Response:
    """Runs `handler` once per key; a repeat gets the first answer, with `Idempotent-Replayed`.

    A handler refuses by raising: what it raises undoes the change and frees the key.
    """
    taken = take_key(
        business=view.business,
        key=_key_of(request),
        fingerprint=_fingerprint(request),
        now=timezone.now(),
    )
    if taken.answer is not None:
        return _replay(taken.status or 200, json.loads(taken.answer))
    try:
        with write_transaction():
            response = handler(request, *args, **kwargs)
            keep_answer(taken, status=response.status_code, answer=_kept(response))
    except BaseException:
        give_back(taken)
        raise
    return response


def _key_of(request: Request) -> str:
    key: str = request.META["HTTP_IDEMPOTENCY_KEY"].strip()
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValidationError(
            {"Idempotency-Key": [f"Write 1 to {LONGEST_KEY} printable characters."]}
        )
    return key


def _fingerprint(request: Request) -> str:
    """Of method, path, query and body; the body by value, so that spacing does not matter."""
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    path, query = request.path.rstrip("/"), request.META.get("QUERY_STRING", "")
    return hashlib.sha256(f"{request.method} {path}?{query}\n{body}".encode()).hexdigest()


def _kept(response: Response) -> str:
    answer = {
        "data": response.data,
        "meta": getattr(response, "meta", {}),
        "headers": {name: response[name] for name in _HEADERS if name in response},
    }
    return encode(answer).decode()


def _replay(status: int, answer: dict[str, Any]) -> Answer:
    headers = {**answer["headers"], "Idempotent-Replayed": "true"}
    return Answer(answer["data"], meta=answer["meta"], status=status, headers=headers)
