"""The shipped nginx.conf in front of gunicorn, as in production."""

from __future__ import annotations

import contextlib
import gzip
import json
import secrets
import socket
import ssl
import sys
import threading
import time
from collections import Counter

import pytest
from django.conf import settings

from tests.nginx import HOST, PROGRAM, running_nginx
from tests.own_servers import free_port
from tests.server.test_slow_readers import ROUNDS, ROWS, fill_and_issue_key

pytestmark = [
    pytest.mark.skipif(
        PROGRAM is None, reason="nginx is not installed (apt-get install nginx-light)"
    ),
    pytest.mark.skipif(settings.EMBEDDED, reason="nginx belongs to the production profile"),
    pytest.mark.timeout(240),
]


class Site:
    """KaiVox behind nginx, and a client of it."""

    def __init__(self, nginx, stack, key):
        self.nginx, self.stack, self.key = nginx, stack, key

    def connect(self, *, tls=True, window=None):
        plain = socket.socket()
        if window:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        plain.settimeout(60)
        plain.connect(("127.0.0.1", self.nginx.https if tls else self.nginx.http))
        if not tls:
            return plain
        context = ssl.create_default_context(cafile=str(self.nginx.folder / "fullchain.pem"))
        return context.wrap_socket(plain, server_hostname=HOST)

    def send(self, data, *, tls=True):
        """Status, headers and body; None where nginx closes the connection without a response."""
        with self.connect(tls=tls) as client:
            pieces = []
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                client.sendall(data)
            try:
                while piece := client.recv(65_536):
                    pieces.append(piece)
            except (ConnectionError, ssl.SSLEOFError):
                pass  # closed, with or without a response
        said = b"".join(pieces)
        if not said:
            return None
        head, _, body = said.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    def ask(self, path, *headers, method="GET", host=HOST, tls=True, body=b""):
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return self.send("\r\n".join([*head, "", ""]).encode() + body, tls=tls)

    def logs(self):
        """The logs of nginx and KaiVox, when all requests before are in them."""
        last = f"/nowhere/{secrets.token_hex(8)}"
        self.ask(last)
        until = time.monotonic() + 60
        while last not in self.nginx.logs():
            assert time.monotonic() < until
            time.sleep(0.05)
        return self.nginx.logs() + self.stack.log.read_text(errors="replace")


@pytest.fixture(scope="module")
def site(stack, tmp_path_factory):
    key = stack.manage("issue_api_key", "--business", "peak-gyms", "--name", "Behind nginx")
    upstream = int(stack.url.rpartition(":")[2])
    with running_nginx(tmp_path_factory.mktemp("nginx"), upstream) as nginx:
        yield Site(nginx, stack, key)


class TestErrors:
    @pytest.mark.parametrize(
        ("data", "status", "code"),
        (
            (b"GET /api/v1/customers/%00 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400, "bad_request"),
            (b"nonsense\r\n\r\n", 400, "bad_request"),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_request"),
            (b"GET /" + b"a" * 8_400 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n", 414, "url_too_long"),
            (b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n", 414, "url_too_long"),
            (
                b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
                431,
                "headers_too_large",
            ),
            (
                b"POST /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nContent-Length: 20000000\r\n\r\n",
                413,
                "body_too_large",
            ),
            (
                b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip\r\n\r\n",
                501,
                "not_implemented",
            ),
            (b"TRACE /api/v1/customers HTTP/1.1\r\nHost: HOST\r\n\r\n", 405, "method_not_allowed"),
        ),
        ids=(
            "NUL", "no HTTP", "broken header", "long URL", "very long URL", "long header",
            "large body", "coding", "TRACE",
        ),
    )  # fmt: skip
    def test_of_nginx_have_the_envelope(self, site, data, status, code):
        found, headers, body = site.send(data.replace(b"HOST", HOST.encode()))
        error = json.loads(body)
        assert (found, error["code"]) == (status, code)
        assert error["doc_url"] == f"https://{HOST}/docs/errors#{code}"
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"] == error["meta"]["request_id"]
        assert ("allow" in headers) == (status == 405)

    @pytest.mark.parametrize(
        ("line", "more"),
        (("GET /" + "a" * 8_400, ()), ("POST /api/v1/customers", ("Content-Length: 20000000",))),
        ids=("414", "413"),
    )
    def test_have_the_request_id(self, site, line, more):
        method, path = line.split()
        _, headers, body = site.ask(path, "X-Request-ID: mine-1", *more, method=method)
        assert headers["x-request-id"] == json.loads(body)["meta"]["request_id"] == "mine-1"

    @pytest.mark.parametrize("host", ('a"b', "a\\b", "other.example"))
    def test_never_quote_the_host_header(self, site, host):
        for tls in (True, False):
            assert site.ask("/api/v1/customers/%00", host=host, tls=tls) is None or json.loads(
                site.ask("/api/v1/customers/%00", host=host, tls=tls)[2]
            )

    def test_an_unavailable_upstream_is_a_503(self, tmp_path):
        with running_nginx(tmp_path / "nginx", free_port()) as nginx:
            away = Site(nginx, None, "kv_live_neverlogged0000000000000000000000000000")
            status, headers, body = away.ask(f"/api/v1/customers?api_key={away.key}")
            assert (status, json.loads(body)["code"]) == (503, "service_unavailable")
            assert int(headers["retry-after"]) > 0
            assert away.key not in nginx.logs()
            assert " 503 " in nginx.access_log()[-1]
            assert " 502 " in nginx.access_log()[-1]  # of the upstream, for the operator


class TestHttp:
    def test_pages_are_redirected_to_the_configured_name(self, site):
        status, headers, _ = site.ask("/docs?a=b", tls=False)
        assert (status, headers["location"]) == (301, f"https://{HOST}/docs?a=b")

    @pytest.mark.parametrize("path", ("/api/v1/customers", "/api", "/voice/twilio/a", "/mcp"))
    @pytest.mark.parametrize("method", ("GET", "POST"))
    def test_api_requests_are_rejected_not_redirected(self, site, path, method):
        status, headers, body = site.ask(f"{path}?api_key={site.key}", method=method, tls=False)
        assert (status, json.loads(body)["code"]) == (403, "https_required")
        assert "location" not in headers

    @pytest.mark.parametrize("host", ("evil.example", "127.0.0.1"))
    @pytest.mark.parametrize("tls", (True, False))
    def test_other_names_get_no_response(self, site, host, tls):
        assert site.ask("/docs", host=host, tls=tls) is None

    def test_other_names_get_no_certificate(self, site):
        plain = socket.create_connection(("127.0.0.1", site.nginx.https), timeout=10)
        context = ssl.create_default_context(cafile=str(site.nginx.folder / "fullchain.pem"))
        with plain, pytest.raises(ssl.SSLError, match="unrecognized"):
            context.wrap_socket(plain, server_hostname="evil.example")


class TestLogs:
    def test_contain_no_key(self, site):
        paths = (
            f"/api/v1/business?api_key={site.key}",
            f"/api/v1/business?api%5Fkey={site.key}",
            f"/api/v1/customers/%00?api_key={site.key}",
            f"/nowhere/{site.key}",
            f"/?api_key={site.key}&pad=" + "a" * 8_300,
        )
        for path in paths:
            for tls in (True, False):
                site.ask(path, f"Referer: https://{HOST}{path[:2000]}", tls=tls)
        site.send(f"GET /?api_key={site.key} HTTP/1.1 x\r\n\r\n".encode())
        site.send(f"GET /?api_key={site.key}\r\n\r\n".encode(), tls=False)
        assert site.ask(paths[0])[0] == 200
        assert site.key not in site.logs()

    def test_contain_no_calendar_url(self, site):
        for path in (
            "/calendar/SECRETTOKEN1.ics",
            "/c%61lendar/SECRETTOKEN1.ics",
            "//calendar/SECRETTOKEN1.ics",
        ):
            for tls in (True, False):
                site.ask(path, tls=tls)
        assert "SECRETTOKEN1" not in site.logs()

    def test_cannot_be_forged(self, site):
        site.ask("/nowhere/%0aFORGED%1b[31m%0d", "User-Agent: a\x1b[31mb")
        assert "\nFORGED" not in site.logs()
        assert "\x1b" not in site.logs()


class TestCompression:
    def test_keeps_the_etag_valid(self, site):
        headers = (f"X-API-Key: {site.key}", "Accept-Encoding: gzip")
        status, first, body = site.ask("/api/v1/services", *headers)
        assert (status, first["content-encoding"]) == (200, "gzip")
        assert json.loads(gzip.decompress(_unchunked(first, body)))["success"]
        status, again, body = site.ask(
            "/api/v1/services", *headers, f"If-None-Match: {_tag(first)}"
        )
        assert (status, body) == (304, b"")
        assert "content-length" not in again

    def test_skips_pages(self, site):
        status, headers, _ = site.ask("/login", "Accept-Encoding: gzip", "Accept: text/html")
        assert status == 200
        assert "content-encoding" not in headers


def _tag(headers):
    return headers["etag"].replace("w/", "W/")


def _unchunked(headers, body):
    if headers.get("transfer-encoding") != "chunked":
        return body
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        whole += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return whole


class TestLargeBodies:
    def test_of_some_clients_do_not_affect_others(self, site):
        stop = threading.Event()
        refused = []

        def flood():
            while not stop.is_set():
                found = site.ask(
                    "/api/v1/customers",
                    "X-API-Key: kv_live_bad",
                    method="POST",
                    body=b"x" * 900_000,
                )
                refused.append(found and found[0])

        threads = [threading.Thread(target=flood) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + 40
            found = []
            while len(found) < 20 and time.monotonic() < until:
                body = json.dumps({"name": "Small", "email": f"a{len(found)}@example.com"}).encode()
                answer = site.ask(
                    "/api/v1/customers", f"X-API-Key: {site.key}", method="POST", body=body
                )
                found.append(answer and answer[0])
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        assert len(found) > 5
        assert set(found) <= {201, 429}, found
        assert set(refused) <= {401, 429}

    def test_too_large_is_a_413(self, site):
        for size in (1_100_000, 5_000_000):
            status, _, body = site.ask(
                "/api/v1/customers", f"X-API-Key: {site.key}", method="POST", body=b"x" * size
            )
            assert (status, json.loads(body)["code"]) == (413, "body_too_large")


class TestSlowClients:
    def test_do_not_block_other_clients(self, site):
        slow = [site.connect() for _ in range(40)]
        try:
            for client in slow:
                client.sendall(
                    f"POST /api/v1/customers HTTP/1.1\r\nHost: {HOST}\r\n"
                    "Content-Length: 1000\r\n\r\n{".encode()
                )
            began = time.monotonic()
            assert site.ask("/healthz")[0] == 200
            assert time.monotonic() - began < 5
        finally:
            for client in slow:
                client.close()


class TestSlowReaders:
    def test_do_not_block_other_clients(self, site):
        key = fill_and_issue_key(site.stack, "peak-gyms")
        slow = [site.connect(window=4096) for _ in range(8)]
        try:
            for client in slow:
                client.sendall(
                    f"GET /api/v1/customers?format=ndjson HTTP/1.1\r\nHost: {HOST}\r\n"
                    f"X-API-Key: {key}\r\n\r\n".encode()
                )
            took = []
            for _ in range(ROUNDS):
                began = time.monotonic()
                assert site.ask("/healthz")[0] == 200
                assert site.ask("/api/v1/business", f"X-API-Key: {key}")[0] == 200
                took.append(time.monotonic() - began)
                time.sleep(0.1)
            sys.stdout.write(f"Two requests beside eight slow readers: {max(took):.2f} s at most\n")
            assert max(took) < 5
            statuses = Counter(client.recv(12).split()[1] for client in slow)
            assert statuses[b"200"] >= 2
            assert set(statuses) <= {b"200", b"429"}
            # Unread output is buffered by nginx, so the application's threads are free.
            until = time.monotonic() + 60
            while True:
                status, _, body = site.ask("/api/v1/customers?format=ndjson", f"X-API-Key: {key}")
                if status == 200:
                    break
                assert time.monotonic() < until
                time.sleep(2)
            assert body.count(b"\n") > ROWS
        finally:
            for client in slow:
                client.close()
