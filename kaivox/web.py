"""The web server of the embedded profile: `python -m kaivox.web`.

waitress, because a thousand slow clients cost the others 6 ms there and stop gunicorn dead. It is
told what it lets through by itself: a request with two lengths (RFC 9112 §6.3: that is how requests
are smuggled past a proxy) and URLs without end. What it refuses, it refuses in our envelope.
"""

from __future__ import annotations

import signal
import sys
from typing import Any, Final

import waitress
from django.conf import settings
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask
from waitress.utilities import Error

from kaivox.server_refusals import MAX_HEADERS, MAX_LINE, refusal
from kaivox.wsgi import application

# Up to here a body is read whole, so that the view's 413 reaches a client that sends before it
# listens; beyond, the connection ends.
MAX_BODY: Final = 16 * 1024 * 1024


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
        return f"{self.code} {self.reason}", *refusal(self.code)


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
