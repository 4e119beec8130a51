"""Base classes of the errors, one for each status. Those of single codes are generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx


class KaiVoxError(Exception):
    """Anything that this package raises on purpose."""


class WebhookVerificationError(KaiVoxError):
    """The body was not signed with this secret, or too long ago."""


class APIConnectionError(KaiVoxError):
    """No response arrived: the server cannot be reached, or the connection broke."""


class APITimeoutError(APIConnectionError):
    """No response arrived in time. A write may have happened nevertheless."""


class APIError(KaiVoxError):
    """A response of the API that is not a success."""

    def __init__(self, response: httpx.Response, body: Mapping[str, Any]) -> None:
        meta = body.get("meta")
        self.status: int = response.status_code
        self.code = str(body.get("code", ""))
        self.message = str(body.get("message", "")) or f"HTTP {response.status_code}"
        self.errors: Mapping[str, Sequence[str]] = body.get("errors") or {}
        """Messages by field or parameter."""
        self.doc_url: str | None = body.get("doc_url")
        self.meta: Mapping[str, Any] = meta if isinstance(meta, dict) else {}
        self.request_id = str(
            self.meta.get("request_id") or response.headers.get("X-Request-ID", "")
        )
        self.retry_after = retry_after_of(response)
        """Seconds to wait before the next try, where the server says so."""
        super().__init__(self.message)

    @property
    def alternatives(self) -> Sequence[Mapping[str, Any]]:
        """Up to three free slots close to the one that could not be booked."""
        return self.meta.get("alternatives") or []

    def __str__(self) -> str:
        fields = "".join(
            f"\n  {name}: {' '.join(messages)}" for name, messages in self.errors.items()
        )
        return f"{self.status} {self.code}: {self.message} [{self.request_id}]{fields}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.__dict__)


class BadRequestError(APIError):
    """400 and other 4xx that concern the request as a whole."""


class AuthenticationError(APIError):
    """401: no valid API key."""


class PermissionDeniedError(APIError):
    """403: the key may not do this."""


class NotFoundError(APIError):
    """404: no such resource in this business."""


class ConflictError(APIError):
    """409: valid, but not in the present state."""


class PreconditionError(APIError):
    """412: the object changed since its `ETag` was read."""


class UnprocessableError(APIError):
    """422: a field or parameter is not valid; `errors` names it."""


class RateLimitError(APIError):
    """429: too many requests. `retry_after` says when the next one is admitted."""


class ServerError(APIError):
    """5xx: a fault of the server, or it is unavailable."""


_BY_STATUS: Final[Mapping[int, type[APIError]]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionError,
    422: UnprocessableError,
    429: RateLimitError,
}


def error_of(response: httpx.Response, by_code: Mapping[str, type[APIError]]) -> APIError:
    """The error of a response: by its code, else by its status."""
    try:
        body = response.json()
    except ValueError:  # of a proxy
        body = {}
    if not isinstance(body, dict):
        body = {}
    kind = by_code.get(str(body.get("code")))
    if kind is None:
        general = ServerError if response.status_code >= 500 else BadRequestError
        kind = _BY_STATUS.get(response.status_code, general)
    return kind(response, body)


def retry_after_of(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds; None where it is missing or a date."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _unpickled(kind: type[APIError], state: dict[str, Any]) -> APIError:
    error = kind.__new__(kind, state["message"])
    error.__dict__.update(state)
    return error
