"""Sender: timeouts, responses, environment and headers."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack

import pytest

from tests.webhooks.behaviours import BEHAVIOURS, scripted
from tests.webhooks.receivers import Reply, accepting, running_receiver
from webhooks import guarded_connections, sender
from webhooks.models import AttemptOutcome
from webhooks.sender import merged_headers, post

pytestmark = pytest.mark.once

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def on_loopback(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_TIMEOUT_SECONDS = 20
    sender._session_of.cache_clear()


def send(url: str, **more):
    return post(url, {"Content-Type": "application/json"}, b'{"a":1}', endpoint_id=1, **more)


def listening(backlog: int = 8) -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=backlog)


class TestMemory:
    def test_is_bounded_for_large_responses(self):
        large = [row for row in BEHAVIOURS if "GB" in row.name or "MB" in row.name]
        assert len(large) == 2
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for behaviour in large:
            with scripted(behaviour) as receiver:
                send(receiver.url)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kib < 50_000


class TestTotalTimeout:
    """One total for all phases; the message names the phase that exceeded it."""

    def test_of_the_dns_lookup(self, settings, monkeypatch):
        settings.WEBHOOK_TIMEOUT_SECONDS = 0.3
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(2) or [])
        result = send("http://slow.example/")
        assert result.outcome is AttemptOutcome.TIMEOUT
        assert result.message == "Time ran out after 0.3 seconds, in the DNS lookup."

    def test_of_the_connection(self, monkeypatch):
        monkeypatch.setattr(guarded_connections, "CONNECT_SECONDS", 0.3)
        monkeypatch.setattr(sender, "CONNECT_SECONDS", 0.3)
        with listening(backlog=0) as full, ExitStack() as stack:
            for _ in range(4):  # more than the backlog holds: the next SYN is dropped
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            result = send(f"http://127.0.0.1:{full.getsockname()[1]}/")
        assert result.outcome is AttemptOutcome.TIMEOUT
        assert result.message == "Time ran out after 0.3 seconds, in the connection."

    def test_of_the_tls_handshake(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 0.5
        with listening() as silent:
            result = send(f"https://127.0.0.1:{silent.getsockname()[1]}/")
        assert result.outcome is AttemptOutcome.TIMEOUT
        assert result.message == "Time ran out after 0.5 seconds, in the TLS handshake."

    def test_of_a_handshake_that_drips(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 1

        def serve(connection: socket.socket) -> None:
            with connection:
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB
                while True:
                    connection.sendall(b"\x02")
                    time.sleep(0.05)

        with accepting(serve) as port:
            result = send(f"https://127.0.0.1:{port}/")
        assert result.outcome is AttemptOutcome.TIMEOUT
        assert result.duration_ms < 10_000
        assert result.message == "Time ran out after 1 seconds, in the TLS handshake."

    def test_of_sending_over_tls(self, settings, tls_context):
        context, settings.WEBHOOK_CA_FILE = tls_context
        settings.WEBHOOK_TIMEOUT_SECONDS = 1.5

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                while encrypted.recv(1000):
                    time.sleep(0.05)

        with accepting(serve) as port:
            url = f"https://localhost:{port}/"
            result = post(url, {}, b"x" * 8_000_000, endpoint_id=1)
        assert result.outcome is AttemptOutcome.TIMEOUT
        assert result.duration_ms < 10_000

    def test_is_longer_than_that_of_a_connect(self, monkeypatch):
        monkeypatch.setattr(guarded_connections, "CONNECT_SECONDS", 0.2)
        with running_receiver() as receiver:
            receiver.respond_with(Reply(200, delay=0.5))
            assert send(receiver.url).succeeded


class TestResponses:
    def test_redirects_are_not_followed(self):
        with running_receiver() as there, running_receiver() as here:
            here.respond_with(Reply(307, headers={"Location": there.url}))
            assert send(here.url).http_status == 307
            assert there.requests == []

    def test_with_one_silent_address_come_from_the_next(self, monkeypatch):
        with running_receiver() as receiver, listening(backlog=0) as full, ExitStack() as stack:
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            both = [(*kind, full.getsockname()), (*kind, receiver.server_address[:2])]
            monkeypatch.setattr(guarded_connections, "CONNECT_SECONDS", 2)
            monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: both)
            assert send("http://two-addresses.example/").succeeded

    def test_are_stored_up_to_four_kib(self):
        with running_receiver() as receiver:
            receiver.respond_with(Reply(500, body=b"\x00\xff<script>" + b"x" * 5000))
            response = send(receiver.url)
        assert (len(response.body), response.truncated) == (4096, True)
        assert response.body.startswith(b"\x00\xff<script>")

    def test_have_their_retry_after_read(self):
        with running_receiver() as receiver:
            receiver.respond_with(Reply(429, headers={"Retry-After": "120"}))
            assert send(receiver.url).retry_after == "120"

    def test_nothing_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert send(f"http://127.0.0.1:{port}/").outcome is AttemptOutcome.CONNECT_ERROR

    def test_no_such_name(self):
        assert send("http://nowhere.invalid/").outcome is AttemptOutcome.DNS_ERROR


class TestEnvironment:
    def test_proxies_are_ignored(self, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        with running_receiver() as receiver:
            assert send(receiver.url).succeeded

    def test_netrc_is_ignored(self, monkeypatch, tmp_path):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login a password b\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        with running_receiver() as receiver:
            assert send(receiver.url).succeeded
            assert "Authorization" not in receiver.requests[0].headers

    def test_cookies_are_not_sent_back(self):
        with running_receiver() as receiver:
            receiver.respond_with(Reply(200, headers={"Set-Cookie": "a=b"}))
            send(receiver.url)
            send(receiver.url)
            assert "Cookie" not in receiver.requests[1].headers


class TestHeaders:
    def test_are_exactly_those_passed(self):
        ours = {"Host": "a.example", "Content-Type": "application/json", "Content-Length": "2",
                "Accept-Encoding": "identity", "User-Agent": "KaiVox-Webhooks/1.0"}  # fmt: skip
        with running_receiver() as receiver:
            post(receiver.url, ours, b"{}", endpoint_id=1)
        assert receiver.requests[0].headers == ours

    @pytest.mark.parametrize(
        "headers", ({"X-KaiVox-Event": "a\r\nX-Admin: 1"}, {"X: y\r\nX-Admin": "1"}, {"X": "😀"})
    )
    def test_that_cannot_be_written_are_not_sent(self, headers):
        """A value with a line break could inject headers, so it is never written."""
        with running_receiver() as receiver:
            result = post(receiver.url, headers, b"{}", endpoint_id=1)
            assert result.outcome is AttemptOutcome.PROTOCOL_ERROR
            assert result.message == "The request could not be written."
            assert receiver.requests == []

    def test_that_cannot_be_written_are_no_tls_error(self, https, settings):
        port, settings.WEBHOOK_CA_FILE, _ = https
        result = post(f"https://localhost:{port}/", {"X": "😀"}, b"{}", endpoint_id=1)
        assert result.outcome is AttemptOutcome.PROTOCOL_ERROR

    def test_of_the_user_are_added(self):
        with running_receiver() as receiver:
            send(receiver.url, extra_headers={"Authorization": "Bearer x", "X-Route": "7"})
        headers = receiver.requests[0].headers
        assert (headers["Authorization"], headers["X-Route"]) == ("Bearer x", "7")

    @pytest.mark.parametrize(
        "name",
        (
            "content-type",
            "Content-Length",
            "content-encoding",
            "HOST",
            "Transfer-Encoding",
            "Connection",
            "Expect",
            "user-agent",
            "X-KaiVox-Signature",
            "webhook-id",
            "Proxy-Authorization",
        ),
    )
    def test_of_the_user_never_replace_ours(self, name):
        ours = {"Content-Type": "application/json", "X-KaiVox-Event": "call.missed"}
        assert merged_headers(ours, {name: "evil", "X-Ok": "1"}) == {**ours, "X-Ok": "1"}
