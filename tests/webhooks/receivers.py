"""Receivers on loopback: one that records requests, and hostile ones on raw sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0


class Receiver(ThreadingHTTPServer):
    """Sends `replies` in order, then repeats the last one."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self.replies: list[Reply] = [Reply()]
        self.connections = 0
        self.before_accept: Callable[[], None] = lambda: None
        self._arrived = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def respond_with(self, *replies: Reply | int) -> None:
        self.replies = [Reply(reply) if isinstance(reply, int) else reply for reply in replies]

    def take(self, request: Request) -> Reply:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def wait_for(self, count: int, *, seconds: float = 10) -> list[Request]:
        """The requests so far, once there are `count` of them. Fails after `seconds`."""
        with self._arrived:
            enough = self._arrived.wait_for(lambda: len(self.requests) >= count, seconds)
        assert enough, f"{len(self.requests)} of {count} requests came"
        return self.requests

    def handle_error(self, *args: Any) -> None:
        """Silent: some tests kill the sender during a request."""

    def get_request(self) -> Any:
        self.before_accept()
        self.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.path, dict(self.headers.items()), body, time.monotonic())
        reply = self.server.take(request)
        time.sleep(reply.delay)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()


def read_request(connection: socket.socket) -> bytes:
    """One complete request; empty if the sender closed the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65_536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + body


@contextmanager
def accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on which `serve` handles each connection in its own thread."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve_quietly(connection: socket.socket) -> None:
        with suppress(OSError):  # the sender closed the connection
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_quietly, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stop_accepting(listener, thread)


def stop_accepting(listener: socket.socket, thread: threading.Thread) -> None:
    """Ends the thread that accepts on `listener`, then closes it.

    In the other order the thread may be about to call accept() with the number of a descriptor that has
    become that of the next test's listener, whose connection it would take.
    """
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    listener.close()


@contextmanager
def raw_receiver(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A URL whose connections are handed to `talk` after the first request."""

    def serve(connection: socket.socket) -> None:
        with connection:
            read_request(connection)
            talk(connection)

    with accepting(serve) as port:
        yield f"http://127.0.0.1:{port}/hook"
