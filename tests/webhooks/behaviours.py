"""Behaviours of receivers and the result that each must lead to: one table for several tests."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat

from tests.webhooks.receivers import read_request, stop_accepting
from webhooks.models import AttemptOutcome

Talk = Callable[[socket.socket], None]


class HangUp(Exception):
    """The receiver closes the connection."""


@dataclass(frozen=True)
class Behaviour:
    """`talk` runs after each request of a connection, or instead of reading it (`reads=False`)."""

    name: str
    talk: Talk
    outcome: AttemptOutcome
    status: int | None = None
    message: str = ""
    reused: bool = False  # the next request uses the same connection
    reads: bool = True
    body_bytes: int = 7
    timeout: float = 20.0


# --- Receiver ------------------------------------------------------------------------------------


class ScriptedReceiver:
    """Has one behaviour on every connection; counts connections and requests."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.connections = self.requests = 0
        self.turns = threading.Semaphore(0)  # released at each end of a `talk`
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook"

    def close(self) -> None:
        stop_accepting(self._listener, self._thread)
        for connection in self._open:
            with suppress(OSError):  # its thread closes it
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while not self._behaviour.reads or read_request(connection):
                    self.requests += 1
                    self._behaviour.talk(connection)
                    self.turns.release()
                    if not self._behaviour.reads:
                        threading.Event().wait(60)
            except (OSError, HangUp):
                self.turns.release()  # also if the sender closed the connection


@contextmanager
def scripted(behaviour: Behaviour) -> Iterator[ScriptedReceiver]:
    receiver = ScriptedReceiver(behaviour)
    try:
        yield receiver
    finally:
        receiver.close()


# --- Building blocks -----------------------------------------------------------------------------


def sends(*pieces: str | bytes | float, hang_up: bool = False) -> Talk:
    """Sends strings and bytes; a float is a pause in seconds."""

    def talk(connection: socket.socket) -> None:
        for piece in pieces:
            if isinstance(piece, float):
                time.sleep(piece)
            else:
                connection.sendall(piece.encode() if isinstance(piece, str) else piece)
        if hang_up:
            raise HangUp

    return talk


def head(status: int | str, *headers: str, version: str = "1.1") -> str:
    return "\r\n".join([f"HTTP/{version} {status}", *headers, "", ""])


def ok(body: str = "ok", *headers: str) -> str:
    return head("200 OK", f"Content-Length: {len(body)}", *headers) + body


def closes(*pieces: str | bytes | float) -> Talk:
    return sends(*pieces, hang_up=True)


def resets(*pieces: str | bytes | float) -> Talk:
    """Sends, then closes the connection with a RST."""

    def talk(connection: socket.socket) -> None:
        sends(*pieces)(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp

    return talk


def endlessly(first: str | bytes, again: bytes, *, every: float) -> Talk:
    def talk(connection: socket.socket) -> None:
        for piece in chain([first.encode() if isinstance(first, str) else first], repeat(again)):
            connection.sendall(piece)
            time.sleep(every)

    return talk


def hangs(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass
    raise HangUp


def reads_slowly(connection: socket.socket) -> None:
    while connection.recv(1000):
        time.sleep(0.05)
    raise HangUp


# --- The table -----------------------------------------------------------------------------------

DONE, ERROR, LATE, BROKEN = (
    AttemptOutcome.SUCCEEDED,
    AttemptOutcome.HTTP_ERROR,
    AttemptOutcome.TIMEOUT,
    AttemptOutcome.PROTOCOL_ERROR,
)
CHUNKED = "Transfer-Encoding: chunked"
NOT_COMPLETE = "The body of the response is not complete."
NO_HTTP = "not valid HTTP"
LARGE = "too large"
HEAD_LATE = "in the head of the response."
BODY_LATE = "in the body of the response."
SHORT = 1.5
HUGE = 8_000_000


def _plain() -> Iterator[Behaviour]:
    """Complete responses in every form of HTTP framing."""

    def row(name: str, *pieces: str | bytes | float, status: int = 200, reused: bool = True):
        outcome = DONE if 200 <= status < 300 else ERROR
        return Behaviour(name, sends(*pieces), outcome, status, reused=reused)

    yield row("200", ok())
    yield row("200 without a body", ok(""))
    yield row("204", head("204 No Content"), status=204)
    yield row("204 with Content-Length: 0", head(204, "Content-Length: 0"), status=204)
    yield row("without a reason", head(200, "Content-Length: 0"))
    yield row("line feeds only", "HTTP/1.1 202 Ok\nContent-Length: 2\n\nok", status=202)
    yield row("a byte at a time", *ok())
    yield row("in two pieces", ok()[:20], 0.05, ok()[20:])
    yield row("chunked", head(201, CHUNKED) + "3\r\nabc\r\n0\r\n\r\n", status=201)
    yield row("chunked, with trailers", head(200, CHUNKED) + "1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n")
    yield row("chunked, with extensions", head(200, CHUNKED) + "1;x=y\r\na\r\n0;z\r\n\r\n")
    yield row("chunked and a length", head(200, CHUNKED, "Content-Length: 99") + "0\r\n\r\n")
    yield row("gzip that is none", ok("ok", "Content-Encoding: gzip"))
    yield row("control characters", ok("\x00\x1b", "X-A: \x00\x7f"))
    yield row("a header without colon", ok("ok", "nonsense"))
    yield row("99 headers", ok("ok", *[f"X-{n}: 1" for n in range(98)]))
    yield row("a header of 60 KB", ok("ok", "X: " + "x" * 60_000))
    yield row("HTTP/1.0, kept alive", ok("ok", "Connection: keep-alive").replace("1.1", "1.0"))
    for status in (300, 304, 400, 401, 404, 410, 429, 500, 503, 599, 999):
        yield row(f"{status}", head(status, "Content-Length: 0"), status=status)
    no_year = "Retry-After: Sun, 01 Mar 99999999999999999999 00:00:00 GMT"
    yield row("Retry-After of no year", head(503, "Content-Length: 0", no_year), status=503)
    for status in (301, 302, 303, 307, 308):
        location = "Location: http://127.0.0.1:1/"
        redirect = head(status, location, "Content-Length: 2") + "go"
        yield row(f"redirect {status}", redirect, status=status)


def _interim() -> Iterator[Behaviour]:
    for status in (100, 102, 103, 199):
        interim = head(status, "Link: </a>; rel=preload")
        yield Behaviour(f"{status}, then 200", sends(interim, 0.02, ok()), DONE, 200, reused=True)
    yield Behaviour("103 and 200 at once", sends(head(103) + ok()), DONE, 200, reused=True)
    many = head(100) + head(103, "Link: a") * 20 + head(102)
    yield Behaviour("many, then 500", sends(many, head(500, "Content-Length: 0")), ERROR, 500,
                    reused=True)  # fmt: skip
    yield Behaviour("103, then the end", closes(head(103)), BROKEN)
    yield Behaviour("103 that breaks off", closes("HTTP/1.1 103 Early\r\nLink"), BROKEN)
    yield Behaviour("103, then nothing", sends(head(103)), LATE, message=HEAD_LATE, timeout=SHORT)
    # Fewer than a hundred within the time limit: newer Pythons end with an error there.
    yield Behaviour("100 for ever", endlessly("", head(100).encode(), every=0.1), LATE,
                    message=HEAD_LATE, timeout=SHORT)  # fmt: skip
    yield Behaviour("101", sends(head(101, "Upgrade: websocket")), ERROR, 101)


def _followed() -> Iterator[Behaviour]:
    """Complete responses followed by more bytes: the connection must not be reused."""
    for name, response, status in (
        ("200", ok(), 200),
        ("204", head(204), 204),
        ("304", head(304), 304),
        ("chunked 200", head(200, CHUNKED) + "0\r\n\r\n", 200),
    ):
        outcome = DONE if status < 300 else ERROR
        yield Behaviour(f"{name}, more at once", sends(response + "more"), outcome, status)
        late = sends(response, 0.1, ok("another"))
        yield Behaviour(f"{name}, another later", late, outcome, status)
    yield Behaviour("HTTP/1.0", closes(head(200, version="1.0") + "ok"), DONE, 200)
    yield Behaviour("no length", closes(head(200) + "ok"), DONE, 200)
    yield Behaviour("Connection: close", closes(ok("ok", "Connection: close")), DONE, 200)
    yield Behaviour("closes unannounced", closes(ok()), DONE, 200)
    yield Behaviour("resets after the response", resets(ok(), 0.05), DONE, 200)


def _body_fails() -> Iterator[Behaviour]:
    """The status decides; the body is incomplete."""

    def row(name: str, talk: Talk, status: int = 200, message: str = NOT_COMPLETE):
        timeout = SHORT if message == BODY_LATE else 20
        outcome = DONE if status < 300 else ERROR
        return Behaviour(name, talk, outcome, status, message, timeout=timeout)

    short = head(200, "Content-Length: 9") + "x"
    yield row("breaks off", closes(short))
    yield row("breaks off by RST", resets(short, 0.05))
    yield row("500 breaks off", closes(head(500, "Content-Length: 9") + "x"), 500)
    yield row("chunk breaks off", closes(head(200, CHUNKED) + "9\r\nx"))
    yield row("chunks without end", closes(head(200, CHUNKED) + "1\r\nx\r\n"))
    yield row("chunk size is no number", closes(head(200, CHUNKED) + "pi\r\nx\r\n"))
    yield row("silent", sends(short), message=BODY_LATE)
    yield row("length is no number", sends(head(200, "Content-Length: two") + "ok"),
              message=BODY_LATE)  # fmt: skip
    yield row("length below zero", sends(head(200, "Content-Length: -1")), message=BODY_LATE)
    drips = endlessly(head(200, "Content-Length: 1000"), b"x", every=0.05)
    yield row("drips", drips, message=BODY_LATE)
    drips = endlessly(head(500, CHUNKED), b"1\r\nx\r\n", every=0.05)
    yield row("500 drips chunks", drips, 500, BODY_LATE)
    drips = endlessly(head(200, CHUNKED) + "0\r\n", b"A: b\r\n", every=0.1)
    yield row("trailers for ever", drips, message=BODY_LATE)


def _head_fails() -> Iterator[Behaviour]:
    for name, text in (
        ("closes at once", ""),
        ("half a status line", "HTTP/1.1 20"),
        ("status line only", "HTTP/1.1 200 OK\r\n"),
        ("half a header", "HTTP/1.1 200 OK\r\nContent-Le"),
        ("no empty line", "HTTP/1.1 200 OK\r\nA: b\r\n"),
    ):
        yield Behaviour(name, closes(text), BROKEN)
        yield Behaviour(f"{name}, RST", resets(text, 0.05), BROKEN)
    for name, bytes_ in (
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("noise", b"\x00\xff" * 5000),
        ("HTTP/0.9", b"<html>ok</html>"),
        ("HTTP/2", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("non-numeric status", b"HTTP/1.1 abc OK\r\n\r\n"),
        ("status 99", b"HTTP/1.1 099 OK\r\n\r\n"),
        ("status 1000", b"HTTP/1.1 1000 OK\r\n\r\n"),
        ("two lengths", head(200, "Content-Length: 1", "Content-Length: 2").encode() + b"ok"),
    ):
        yield Behaviour(name, closes(bytes_), BROKEN, message=NO_HTTP)
    many = [f"X-{n}: 1" for n in range(150)]
    yield Behaviour("150 headers", sends(ok("ok", *many)), BROKEN, message=LARGE)
    yield Behaviour("a header of 70 KB", sends(ok("ok", "X: " + "x" * 70_000)), BROKEN,
                    message=LARGE)  # fmt: skip
    yield Behaviour("status line of 70 KB", sends(head("200 " + "x" * 70_000)), BROKEN,
                    message=LARGE)  # fmt: skip
    yield Behaviour("hangs", hangs, LATE, message=HEAD_LATE, timeout=SHORT)
    drips = endlessly("HTTP/1.1 200 OK\r\nX-Drip: ", b"x", every=0.05)
    yield Behaviour("drips a header", drips, LATE, message=HEAD_LATE, timeout=SHORT)


def _large() -> Iterator[Behaviour]:
    """Responses of gigabytes, of which at most 16 KiB are read."""
    megabyte = b"x" * 1_000_000
    stream = endlessly(head(200, "Content-Length: 1000000000"), megabyte, every=0)
    yield Behaviour("streams 1 GB", stream, DONE, 200)
    yield Behaviour("streams without end", endlessly(head(200), megabyte, every=0), DONE, 200)
    redirect = head(302, "Location: http://127.0.0.1:1/", "Content-Length: 400000000")
    yield Behaviour("302 with 400 MB", endlessly(redirect, megabyte, every=0), ERROR, 302)


def _early() -> Iterator[Behaviour]:
    """Responses sent before the request was read."""
    for status in (200, 401, 410, 413):
        outcome = DONE if status == 200 else ERROR
        response = head(status, "Content-Length: 2") + "no"
        yield Behaviour(f"{status} unread, then the end", closes(response), outcome, status,
                        reads=False, body_bytes=HUGE)  # fmt: skip
        yield Behaviour(f"{status} unread, RST", resets(response, 0.05), outcome, status,
                        reads=False, body_bytes=HUGE)  # fmt: skip
    yield Behaviour("413 unread, stays open", sends(head(413, "Content-Length: 0")), ERROR, 413,
                    reads=False, body_bytes=HUGE, timeout=5)  # fmt: skip
    yield Behaviour("never reads", sends(), LATE, message="in sending the request.",
                    reads=False, body_bytes=HUGE, timeout=SHORT)  # fmt: skip
    yield Behaviour("reads slowly", reads_slowly, LATE, message="in sending the request.",
                    reads=False, body_bytes=HUGE, timeout=SHORT)  # fmt: skip
    yield Behaviour("closes unread", closes(), BROKEN, reads=False, body_bytes=HUGE)


BEHAVIOURS = (
    *_plain(),
    *_interim(),
    *_followed(),
    *_body_fails(),
    *_head_fails(),
    *_large(),
    *_early(),
)
