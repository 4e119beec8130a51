"""Error envelopes for requests that the web servers reject before Django sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kaivox.api.encoders import encode
from kaivox.api.logging import current_request_id
from kaivox.api.middleware import request_id_of
from kaivox.api.responses import error_body

MAX_LINE: Final = 8_190  # bytes of method, URL and version; gunicorn's maximum
MAX_HEADERS: Final = 64 * 1024

_ERRORS: Final = {
    400: ("bad_request", "The request cannot be parsed."),
    413: ("body_too_large", "The body is larger than 1 MiB."),
    414: ("url_too_long", f"The URL is longer than {MAX_LINE} characters."),
    431: ("headers_too_large", "The headers are too many or too large."),
    500: ("internal_error", "Something broke on our side."),
    501: (
        "not_implemented",
        "This Transfer-Encoding is not supported: send chunked, or a Content-Length.",
    ),
}


def error_for_status(
    status: int, headers: Mapping[str, str] | None = None
) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of the error response for `status`; `headers` are the request's, by WSGI's
    names."""
    request_id = request_id_of(headers or {})
    token = current_request_id.set(request_id)
    try:
        body = encode(error_body(*_ERRORS.get(status, _ERRORS[400])))
    finally:
        current_request_id.reset(token)
    return [("Content-Type", "application/json"), ("X-Request-ID", request_id)], body
