"""The web server of the embedded profile: `python -m kaivox.web`.

waitress, because a thousand slow clients cost the others 6 ms there and stop gunicorn dead. It is
told what it lets through by itself: a request with two lengths (RFC 9112 §6.3: that is how requests
are smuggled past a proxy) and URLs without end. What it refuses, it refuses in our envelope.
"""

from __future__ import annotations

import signal
import sys
import uuid
from typing import Any, Final

import waitress
from django.conf import settings
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import Error

from kaivox.api.encoding import encode
from kaivox.api.logs import current_request_id
from kaivox.api.responses import error_body
from kaivox.wsgi import application

MAX_LINE: Final = 8_190  # method, URL and version; what nginx and gunicorn allow
MAX_HEADERS: Final = 64 * 1024
# Up to here a body is read whole, so that the view's 413 reaches a client that sends before it
# listens; beyond, the connection ends.
MAX_BODY: Final = 16 * 1024 * 1024

_TOLD: Final = {
    400: ("bad_request", "The request cannot be read."),
    413: ("body_too_large", "The body is larger than 1 MiB."),
    414: ("url_too_long", f"The URL is longer than {MAX_LINE} characters."),
    431: ("headers_too_large", f"The headers are larger than {MAX_HEADERS // 1024} KiB."),
    500: ("internal_error", "Something broke on our side."),
    501: ("not_implemented", "This Transfer-Encoding is not supported: send chunked, or a length."),
}


class UrlTooLong(Error):  # type: ignore[misc] # waitress has no types
    code = 414
    reason = "URI Too Long"


class EnvelopeErrorTask(ErrorTask):  # type: ignore[misc]
    """What waitress refuses by itself, or breaks at, told in our envelope."""

    def execute(self) -> None:
        self.request.error = Refusal(self.request.error)
        super().execute()


class Refusal(Error):  # type: ignore[misc]
    def __init__(self, error: Error) -> None:
        super().__init__(error.body)
        self.code, self.reason = error.code, error.reason

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        request_id = f"req_{uuid.uuid4().hex}"
        token = current_request_id.set(request_id)
        try:
            body = encode(error_body(*_TOLD.get(self.code, _TOLD[400])))
        finally:
            current_request_id.reset(token)
        headers = [("Content-Type", "application/json"), ("X-Request-ID", request_id)]
        return f"{self.code} {self.reason}", headers, body


class StrictParser(HTTPRequestParser):  # type: ignore[misc]
    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if len(self.first_line) > MAX_LINE:
            self._refuse(UrlTooLong(""))
        # By the time the headers are parsed waitress has taken Transfer-Encoding out of them.
        if (self.chunked and "CONTENT_LENGTH" in self.headers) or (
            "TRANSFER_ENCODING" in self.headers
        ):
            raise ParsingError("A body with two lengths, or chunked in HTTP/1.0")

    def _refuse(self, error: Error) -> None:
        self.error = error
        self.connection_close = True
        self.body_rcv = None  # nothing more is read: the request is complete


def serve(host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C; requests under way are answered."""
    HTTPChannel.parser_class = StrictParser
    HTTPChannel.error_task_class = EnvelopeErrorTask
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(application, host=host, port=port, **options())


def options() -> dict[str, Any]:
    return {
        "threads": settings.WEB_THREADS,
        "connection_limit": 2_000,
        "asyncore_use_poll": True,  # select() ends at 1,024 connections
        "max_request_header_size": MAX_HEADERS,
        "max_request_body_size": MAX_BODY,
        "ident": None,
        "_quiet": True,
    }


if __name__ == "__main__":
    serve(settings.HOST, settings.PORT)
