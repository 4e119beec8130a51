"""The web server of the embedded profile: `python -m kaivox.server.waitress`.

waitress, because a thousand slow clients delay the others by 6 ms, whereas forty block gunicorn
(docs/decisions/0071). Added here: rejection of requests with both Content-Length and Transfer-Encoding
(RFC 9112 §6.3, request smuggling), a limit for URLs, a deadline for stalled readers, and errors in the
API's envelope.
"""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
import time
from typing import Any, Final

import waitress
from django.conf import settings
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from kaivox.server.error_bodies import MAX_HEADERS, MAX_LINE, error_for_status
from kaivox.wsgi import application  # loads the settings first

# Bodies up to this size are read, so that the view's 413 reaches a client that sends the whole body
# before it reads; beyond it the connection is closed.
MAX_BODY: Final = 16 * 1024 * 1024
# Unread output is buffered in a file, which frees the thread. Beyond this size the thread waits;
# kaivox.api.streams limits the number of responses that can be so large.
MAX_UNREAD: Final = 256 * 1024 * 1024
# A client that reads nothing of its buffered response for so long is disconnected.
STALL_SECONDS: Final = 30


class UrlTooLong(Error):  # type: ignore[misc] # waitress has no types
    code = 414
    reason = "URI Too Long"


class EnvelopeErrorTask(ErrorTask):  # type: ignore[misc]
    """Sends waitress's own errors in the API's envelope."""

    def execute(self) -> None:
        headers = {f"HTTP_{name}": value for name, value in self.request.headers.items()}
        self.request.error = EnvelopeError(self.request.error, headers)
        super().execute()


class EnvelopeError(Error):  # type: ignore[misc]
    def __init__(self, error: Error, headers: dict[str, str]) -> None:
        super().__init__(error.body)
        self.headers = headers
        self.code, self.reason = error.code, error.reason

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        return f"{self.code} {self.reason}", *error_for_status(self.code, self.headers)


class StrictParser(HTTPRequestParser):  # type: ignore[misc]
    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if self.completed:
            # Without a body, or with one that is rejected: waitress would send 100 Continue and wait.
            self.expect_continue = False
        return int(consumed)

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if len(self.first_line) > MAX_LINE:
            self._reject(UrlTooLong(""))
        # waitress removes Transfer-Encoding from the headers when it has recognised it as chunked.
        if (self.chunked and "CONTENT_LENGTH" in self.headers) or (
            "TRANSFER_ENCODING" in self.headers
        ):
            raise ParsingError("Content-Length with Transfer-Encoding, or chunked in HTTP/1.0")

    def _reject(self, error: Error) -> None:
        self.error = error
        self.connection_close = True
        self.body_rcv = None  # the request counts as complete, and its body is not read


class Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = StrictParser
    error_task_class = EnvelopeErrorTask

    def __init__(self, server: Any, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        # The socket becomes writable when a third of its buffer is free. With the kernel's default of
        # 2.5 MB a client that reads 20 kB/s would look stalled.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 * 1024)
        super().__init__(server, sock, *args, **kwargs)

    def writable(self) -> bool:
        """Called by the server's loop about once a second for every connection. waitress itself closes
        only idle connections, never one with a response in progress."""
        if self.total_outbufs_len and time.time() - self.last_activity > STALL_SECONDS:
            self.handle_close()  # also wakes a thread that waits for the buffer
            return False
        return bool(super().writable())


def serve(host: str, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C; requests in progress are completed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    tempfile.tempdir = str(settings.DATA_DIR)  # of buffered responses; /tmp may be in memory
    BaseWSGIServer.channel_class = Channel
    waitress.serve(application, host=host, port=port, _quiet=True, **options())


def options() -> dict[str, Any]:
    return {
        "threads": settings.WEB_THREADS,
        "connection_limit": 2_000,
        "asyncore_use_poll": True,  # select() ends at 1,024 connections
        "outbuf_high_watermark": MAX_UNREAD,
        "max_request_header_size": MAX_HEADERS,
        "max_request_body_size": MAX_BODY,
        # As with gunicorn, `kaivox.businesses.auth.client_ip` decides by TRUSTED_PROXIES what to believe.
        "clear_untrusted_proxy_headers": False,
        "ident": None,
    }


if __name__ == "__main__":
    serve(settings.HOST, settings.PORT)
