"""Round every POST with an `Idempotency-Key`: `kaivox.api.viewsets` calls `remember`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.responses import Answer
from kaivox.businesses.write_lock import write_transaction
from kaivox.idempotency.models import Answered
from kaivox.idempotency.operations import give_back, keep_answer, take_key

_HEADERS = ("Location",)


def remember(
    view: Any, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
) -> Response:
    """Runs `handler` once per key; a repeat gets the first answer, with `Idempotent-Replayed`."""
    key = request.META["HTTP_IDEMPOTENCY_KEY"]
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise ValidationError({"Idempotency-Key": ["Write 1 to 255 printable characters."]})
    taken = take_key(
        business=view.business, key=key, fingerprint=_fingerprint(request), now=timezone.now()
    )
    if taken.status is not None:
        return _replay(taken)
    try:
        with write_transaction():
            response = handler(request, *args, **kwargs)
            keep_answer(taken, status=response.status_code, answer=_kept(response))
    except BaseException:
        give_back(taken)
        raise
    return response


def _fingerprint(request: Request) -> str:
    """Of method, path, query and body; the body by value, so that spacing does not matter."""
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    query = request.META.get("QUERY_STRING", "")
    return hashlib.sha256(f"{request.method} {request.path}?{query}\n{body}".encode()).hexdigest()


def _kept(response: Response) -> dict[str, Any]:
    return {
        "data": response.data,
        "meta": getattr(response, "meta", {}),
        "headers": {name: response[name] for name in _HEADERS if name in response},
    }


def _replay(known: Answered) -> Answer:
    answer = known.answer or {}
    return Answer(
        answer["data"],
        meta=answer["meta"],
        status=known.status or 200,
        headers={**answer["headers"], "Idempotent-Replayed": "true"},
    )
