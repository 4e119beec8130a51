"""Requests that the web servers reject before Django: the error envelope, and logs without API keys."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from kaivox.server.error_bodies import MAX_HEADERS
from tests import factories
from tests.own_servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = {
    True: [sys.executable, "-m", "kaivox.server.waitress"],
    False: [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "kaivox/server/gunicorn.py",
        "kaivox.wsgi",
    ],
}
LONG_HEADER = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MAX_HEADERS
# Commands on docs/errors.md that cause an error.
SHELL_EXAMPLES = {
    entry.partition("\n")[0]: entry.partition("```sh\n")[2].partition("\n```")[0]
    for entry in (ROOT / "docs" / "errors.md").read_text().split("\n### ")
    if "```sh\n" in entry
}
POST = b"POST /api/v1/appointments HTTP/1.1\r\nHost: localhost\r\n"


class Server:
    def __init__(self, port, log):
        self.port, self.log = port, log

    def answer(self, data):
        """Status, headers and body of the response to the bytes `data`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
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


@pytest.mark.once
def test_starts_without_celery_and_with_its_modules_exempt_from_collection():
    """Celery would cost each web process 20 MB and 0.2 s at start; a full garbage collection of all modules
    80 ms each time."""
    started = "import kaivox.wsgi, kaivox.urls, gc, sys; print('celery' in sys.modules, gc.get_freeze_count())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", started],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    celery, frozen = done.stdout.split()
    assert celery == "False"
    assert int(frozen) > 50_000


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
        "METRICS_ALLOWED": "127.0.0.0/8",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            SERVER[settings.EMBEDDED], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    server = Server(port, log)
    try:
        deadline = time.monotonic() + 60
        while not server.listens():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.parametrize(("header", "status"), ((b"", 200), (b"X-Forwarded-For: 8.8.8.8\r\n", 404)))
def test_metrics_are_hidden_from_a_proxy_that_is_not_trusted(server, header, status):
    """The server must pass the header on: without it, the request would be one of this machine."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header
    assert server.answer(request + b"\r\n")[0] == status


class TestRejectedRequests:
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
                # One byte over the limit: a longer body would leave unread data and reset the connection.
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
    def test_get_the_error_envelope(self, server, request_, status, code):
        found, headers, body = server.answer(request_)
        assert found == status
        assert json.loads(body)["code"] == code
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"] == json.loads(body)["meta"]["request_id"]

    @pytest.mark.skipif(
        not (settings.EMBEDDED and shutil.which("curl")), reason="nginx sends these in production"
    )
    @pytest.mark.parametrize("code", SHELL_EXAMPLES)
    def test_are_those_of_the_docs(self, server, code):
        environment = {**os.environ, "NO_PROXY": "*", "KAIVOX_API_KEY": "kv_live_x"}
        environment["KAIVOX_URL"] = f"http://127.0.0.1:{server.port}"
        done = subprocess.run(
            ["sh", "-c", SHELL_EXAMPLES[code]], env=environment, capture_output=True, timeout=30
        )
        assert json.loads(done.stdout)["code"] == code

    @pytest.mark.skipif(
        not settings.EMBEDDED, reason="nginx sends these: tests/server/test_nginx.py"
    )
    @pytest.mark.parametrize(
        ("line", "header"),
        ((b"GET /" + b"a" * 9_000, b""), (b"POST /", b"Content-Length: 20000000\r\n")),
        ids=("414", "413"),
    )
    def test_have_the_request_id(self, server, line, header):
        head = line + b" HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: mine-1\r\n" + header
        _, headers, body = server.answer(head + b"\r\n")
        assert headers["x-request-id"] == json.loads(body)["meta"]["request_id"] == "mine-1"

    @pytest.mark.skipif(not settings.EMBEDDED, reason="nginx answers these in production")
    @pytest.mark.parametrize(
        ("start", "status"),
        (
            (b"GET /healthz HTTP/1.1\r\n", 200),
            (b"POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n", 200),
            (POST + b"Content-Length: 20000000\r\n", 413),
            (POST + b"Content-Length: 5, 5\r\n", 400),
        ),
    )
    def test_do_not_wait_for_a_body_that_is_not_read(self, server, start, status):
        head = start + b"Host: localhost\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        assert server.answer(head)[0] == status

    @pytest.mark.parametrize("status", (b"api_key=%s", b"api%%5Fkey=%s"))
    @pytest.mark.parametrize("end", (b"HTTP/1.1", b"HTTP/1.1 x", b"HTTP/9.9", b""))
    def test_leave_no_key_in_any_log(self, server, db, status, end):
        key = factories.make_key(factories.make_business()).encode()
        line = b"GET /calendar/SECRETTOKEN1.ics?" + status % key + b" " + end
        for rest in (b"\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"\r\nbroken\r\n\r\n"):
            with contextlib.suppress(IndexError, UnicodeDecodeError):
                server.answer(line + rest)
        log = server.log.read_text()
        assert key.decode() not in log
        assert "SECRETTOKEN1" not in log

    def test_cannot_forge_a_line_of_the_log(self, server):
        server.answer(
            b"GET /nowhere/%0aFORGED%1b[31m HTTP/1.1\r\nHost: localhost\r\n"
            b"User-Agent: a\tb\r\nConnection: close\r\n\r\n"
        )
        log = server.log.read_text()
        assert "\nFORGED" not in log
        assert "\x1b" not in log

    def test_leave_no_key_in_the_log(self, server, db):
        key = factories.make_key(factories.make_business())
        server.answer(b"GET /api/v1/?api_key=" + key.encode() + b" HTTP/1.1 x\r\n\r\n")
        assert key not in server.log.read_text()


class TestSlowClients:
    @pytest.mark.skipif(
        not settings.EMBEDDED,
        reason="gunicorn waits for slow clients; nginx buffers their requests",
    )
    def test_do_not_block_other_clients(self, server):
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        try:
            for connection in slow:
                connection.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
            began = time.monotonic()
            status, _, _ = server.answer(
                b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            assert status == 200
            assert time.monotonic() - began < 10
        finally:
            for connection in slow:
                connection.close()


class TestProcesses:
    @pytest.mark.skipif(settings.EMBEDDED, reason="the embedded profile has one web process")
    def test_accept_no_connection_without_a_free_thread(self, server):
        # Three of four threads wait for the rest of a request; every other request must get the fourth.
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
                assert time.monotonic() - began < 10
        finally:
            for connection in slow:
                connection.close()

    @pytest.mark.skipif(settings.EMBEDDED, reason="the embedded profile has one web process")
    def test_release_the_port_when_the_master_is_killed(self, tmp_path):
        port = free_port()
        environment = {**os.environ, "PORT": str(port), "HOST": "127.0.0.1", "WEB_PROCESSES": "2"}
        with (tmp_path / "log").open("w") as output:
            process = subprocess.Popen(
                SERVER[False], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        server = Server(port, tmp_path / "log")
        try:
            until = time.monotonic() + 60
            while (tmp_path / "log").read_text().count("Booting worker") < 2:
                assert time.monotonic() < until
                time.sleep(0.05)
            healthz = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            assert server.answer(healthz)[0] == 200  # the settings are loaded
            # One request is in progress.
            busy = socket.create_connection(("127.0.0.1", port))
            busy.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        finally:
            process.kill()
            process.wait()
        until = time.monotonic() + 60
        while server.listens():
            assert time.monotonic() < until
            time.sleep(0.1)
        busy.close()

    @pytest.mark.skipif(settings.EMBEDDED, reason="the embedded profile has one web process")
    def test_serve_connections_that_wait_while_they_stop(self, tmp_path):
        """nginx does not send a POST again whose connection is reset."""
        port = free_port()
        environment = {
            **os.environ,
            "PORT": str(port),
            "HOST": "127.0.0.1",
            "WEB_PROCESSES": "1",
            "WEB_THREADS": "1",
        }
        with (tmp_path / "log").open("w") as output:
            process = subprocess.Popen(
                SERVER[False], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        server = Server(port, tmp_path / "log")
        get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        try:
            until = time.monotonic() + 60
            while not server.listens():
                assert time.monotonic() < until
                time.sleep(0.05)
            assert server.answer(get)[0] == 200
            busy = socket.create_connection(("127.0.0.1", port), timeout=30)
            busy.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
            waiting = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(3)]
            for connection in waiting:
                connection.sendall(get)
            process.terminate()
            until = time.monotonic() + 60
            while server.listens():
                assert time.monotonic() < until
                time.sleep(0.05)
            busy.close()
            for connection in waiting:
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
                connection.close()
        finally:
            process.terminate()
            process.wait(timeout=40)
