"""TCP proxy that simulates a stopped server or one that never responds."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit


class Proxy:
    """`open` forwards bytes, `closed` closes every connection, `silent` reads and forwards nothing."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        default = 6379 if parts.scheme.startswith("redis") else 5672
        self._target = (parts.hostname or "127.0.0.1", parts.port or default)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._state = "open"
        self._sockets: set[socket.socket] = set()
        port = self._listener.getsockname()[1]
        user = f"{parts.username or ''}:{parts.password}@" if parts.password else ""
        self.url = parts._replace(netloc=f"{user}127.0.0.1:{port}").geturl()
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, state: str) -> None:
        self._state = state
        if state == "closed":
            for sock in list(self._sockets):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._state == "closed":
                client.close()
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._sockets |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                while self._state == "silent":
                    time.sleep(0.05)
                sink.sendall(data)
        for sock in (source, sink):
            self._sockets.discard(sock)
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
