"""What the web servers refuse by themselves, before Django sees it, told in the API's envelope."""

from __future__ import annotations

import uuid
from typing import Final

from kaivox.api.encoding import encode
from kaivox.api.logs import current_request_id
from kaivox.api.responses import error_body

MAX_LINE: Final = 8_190  # method, URL and version; what nginx allows by default
MAX_HEADERS: Final = 64 * 1024

_TOLD: Final = {
    400: ("bad_request", "The request cannot be read."),
    413: ("body_too_large", "The body is larger than 1 MiB."),
    414: ("url_too_long", f"The URL is longer than {MAX_LINE} characters."),
    431: ("headers_too_large", "The headers are too many or too large."),
    500: ("internal_error", "Something broke on our side."),
    501: ("not_implemented", "This Transfer-Encoding is not supported: send chunked, or a length."),
}


def refusal(status: int) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of an answer with `status`."""
    request_id = f"req_{uuid.uuid4().hex}"
    token = current_request_id.set(request_id)
    try:
        body = encode(error_body(*_TOLD.get(status, _TOLD[400])))
    finally:
        current_request_id.reset(token)
    return [("Content-Type", "application/json"), ("X-Request-ID", request_id)], body
