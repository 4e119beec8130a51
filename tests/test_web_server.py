"""What the web servers refuse before Django sees it: in our envelope, and without a key in a log."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from kaivox.server_refusals import MAX_HEADERS
from tests import factories
from tests.own_servers import free_port

ROOT = Path(__file__).resolve().parent.parent
SERVER = {
    True: [sys.executable, "-m", "kaivox.web"],
    False: [sys.executable, "-m", "gunicorn", "--config", "kaivox/gunicorn.py", "kaivox.wsgi"],
}
LONG_HEADER = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MAX_HEADERS
POST = b"POST /api/v1/appointments HTTP/1.1\r\nHost: localhost\r\n"


class Server:
    def __init__(self, port, log):
        self.port, self.log = port, log

    def answer(self, data):
        """Status, headers and body of what comes back for the bytes `data`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            said = b"".join(iter(lambda: connection.recv(65_536), b""))
        head, _, body = said.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(status.split()[1]), headers, body

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def test_starts_without_celery():
    """It would take 20 MB and 0.2 s of each process that only answers."""
    started = "import kaivox.wsgi, kaivox.urls, sys; sys.exit('celery' in sys.modules)"
    subprocess.run([sys.executable, "-W", "ignore", "-c", started], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    port, log = free_port(), folder / "log"
    environment = {
        **os.environ,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "WEB_PROCESSES": "2",
        "WEB_THREADS": "2",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            SERVER[settings.EMBEDDED], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    server = Server(port, log)
    try:
        deadline = time.monotonic() + 30
        while not server.listens():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "status", "code"),
        (
            (b"nonsense\r\n\r\n", 400, "bad_request"),
            (
                POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
                "bad_request",
            ),
            (
                POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
                "bad_request",
            ),
            (POST + b"Content-Length: 5, 5\r\n\r\nabcde", 400, "bad_request"),
            (
                b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                414,
                "url_too_long",
            ),
            (
                # As long as is just too long: what stays unread would reset the connection.
                LONG_HEADER[: MAX_HEADERS - 4] + b"\r\n\r\n",
                431,
                "headers_too_large",
            ),
        ),
        ids=(
            "no HTTP",
            "two lengths",
            "chunked in HTTP/1.0",
            "two content lengths",
            "long URL",
            "long header",
        ),
    )
    def test_are_told_in_the_envelope(self, server, request_, status, code):
        found, headers, body = server.answer(request_)
        assert found == status
        assert json.loads(body)["code"] == code
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"] == json.loads(body)["meta"]["request_id"]

    def test_leave_no_key_in_the_log(self, server, db):
        key = factories.make_key(factories.make_business())
        server.answer(b"GET /api/v1/?api_key=" + key.encode() + b" HTTP/1.1 x\r\n\r\n")
        assert key not in server.log.read_text()


class TestSlowClients:
    @pytest.mark.skipif(
        not settings.EMBEDDED, reason="gunicorn waits for slow clients; nginx stands in front of it"
    )
    def test_hold_up_nobody_else(self, server):
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        try:
            for connection in slow:
                connection.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
            began = time.monotonic()
            status, _, _ = server.answer(
                b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            assert status == 200
            assert time.monotonic() - began < 2
        finally:
            for connection in slow:
                connection.close()


class TestProcesses:
    @pytest.mark.skipif(settings.EMBEDDED, reason="the embedded profile has one web process")
    def test_take_no_connection_without_a_thread_for_it(self, server):
        # Three of the four threads wait for the rest of a request; each request finds the fourth.
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        try:
            for connection in slow:
                connection.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
            for _ in range(5):
                began = time.monotonic()
                status, _, _ = server.answer(
                    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                assert status == 200
                assert time.monotonic() - began < 2
        finally:
            for connection in slow:
                connection.close()
