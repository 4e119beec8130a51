"""The two shapes of an answer: the success envelope's parts, and the error envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.response import Response

from kaivox.api.encoding import encode
from kaivox.api.logs import current_request_id


class Answer(Response):
    """A success: `data` for the envelope, `meta` beside it (`request_id` is added)."""

    def __init__(
        self,
        data: Any,
        *,
        meta: Mapping[str, Any] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.meta = dict(meta or {})


def error_body(
    code: str,
    message: str,
    errors: Mapping[str, Sequence[str]] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The error envelope. `errors` is `{}` where no field is to blame."""
    return {
        "success": False,
        "code": code,
        "message": message,
        "errors": errors or {},
        "doc_url": f"{settings.PUBLIC_URL}/docs/errors#{code}",
        "meta": {"request_id": current_request_id.get(), **(meta or {})},
    }


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    errors: Mapping[str, Sequence[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The error envelope where no view runs: middleware, Django's own 400, 404 and 500."""
    return HttpResponse(
        encode(error_body(code, message, errors)),
        status=status,
        content_type="application/json",
        headers=dict(headers or {}),
    )
