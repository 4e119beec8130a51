"""The door out, against receivers that misbehave: one right answer each, in time, in little memory."""

from __future__ import annotations

import resource
import socket
import ssl
import subprocess
import threading
import time

import pytest

from tests.webhooks.receivers import Reply, raw_receiver, read_request, running_receiver
from webhooks import connections, delivery
from webhooks.delivery import post
from webhooks.models import Outcome

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def on_loopback(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.5
    delivery._kept.cache_clear()


def send(url: str):
    started = time.monotonic()
    answer = post(url, {"Content-Type": "application/json"}, b'{"a":1}')
    assert time.monotonic() - started < 2
    return answer


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def continue_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def stream(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x" * 1_000_000)


def redirect_with_body(connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 400000000\r\n\r\n"
    )
    for _ in range(400):
        connection.sendall(b"x" * 1_000_000)


class TestHostileReceivers:
    @pytest.mark.parametrize(
        ("talk", "outcome", "status"),
        (
            (lambda c: time.sleep(3), Outcome.TIMEOUT, None),
            (drip, Outcome.TIMEOUT, None),
            (continue_for_ever, Outcome.TIMEOUT, None),
            (drip_body, Outcome.TIMEOUT, None),
            (stream, Outcome.SUCCEEDED, 200),
            (redirect_with_body, Outcome.HTTP_ERROR, 302),
            (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Le"), Outcome.PROTOCOL_ERROR, None),
            (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Outcome.PROTOCOL_ERROR, None),
            (lambda c: None, Outcome.PROTOCOL_ERROR, None),
            (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), Outcome.PROTOCOL_ERROR, None),
            (lambda c: c.sendall(b"\x00\xff" * 5000), Outcome.PROTOCOL_ERROR, None),
            (
                lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
                Outcome.SUCCEEDED,
                200,
            ),
            (lambda c: c.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"), Outcome.SUCCEEDED, 204),
            (lambda c: c.sendall(OK), Outcome.SUCCEEDED, 200),
        ),
        ids=(
            "hangs",
            "drips a header",
            "100 for ever",
            "drips a body",
            "streams 1 GB",
            "302 with 400 MB",
            "closes in a header",
            "closes after a header",
            "closes at once",
            "is no HTTP",
            "sends noise",
            "closes in the body",
            "204",
            "200",
        ),
    )
    def test_end_in_one_right_answer(self, talk, outcome, status):
        with raw_receiver(talk) as url:
            answer = send(url)
        assert (answer.outcome, answer.http_status) == (outcome, status)
        assert len(answer.body) <= delivery.KEPT_BYTES

    def test_cost_no_memory(self):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for talk in (stream, redirect_with_body):
            with raw_receiver(talk) as url:
                send(url)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kib < 50_000


class TestAnswers:
    def test_may_take_longer_than_a_connect(self, monkeypatch, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 1.5
        monkeypatch.setattr(delivery, "CONNECT_SECONDS", 0.2)
        with running_receiver() as receiver:
            receiver.answer(Reply(200, delay=0.4))
            assert send(receiver.url).succeeded

    def test_redirects_are_not_followed(self):
        with running_receiver() as there, running_receiver() as here:
            here.answer(Reply(307, headers={"Location": there.url}))
            assert send(here.url).http_status == 307
            assert there.requests == []

    def test_keep_four_kib_as_they_came(self):
        with running_receiver() as receiver:
            receiver.answer(Reply(500, body=b"\x00\xff<script>" + b"x" * 5000))
            answer = send(receiver.url)
        assert (len(answer.body), answer.truncated) == (4096, True)
        assert answer.body.startswith(b"\x00\xff<script>")

    def test_tell_how_long_to_stay_away(self):
        with running_receiver() as receiver:
            receiver.answer(Reply(429, headers={"Retry-After": "120"}))
            assert send(receiver.url).retry_after == "120"

    def test_nothing_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert send(f"http://127.0.0.1:{port}/").outcome is Outcome.CONNECT_ERROR

    def test_no_such_name(self):
        assert send("http://nowhere.invalid/").outcome is Outcome.DNS_ERROR


class TestEnvironment:
    def test_is_not_asked_for_proxies(self, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        with running_receiver() as receiver:
            assert send(receiver.url).succeeded

    def test_cookies_do_not_come_back(self):
        with running_receiver() as receiver:
            receiver.answer(Reply(200, headers={"Set-Cookie": "a=b"}))
            send(receiver.url)
            send(receiver.url)
            assert "Cookie" not in receiver.requests[1].headers


class TestConnections:
    def test_are_kept(self):
        with running_receiver() as receiver:
            for _ in range(5):
                send(receiver.url)
            assert (len(receiver.requests), receiver.connections) == (5, 1)

    def test_a_kept_one_that_was_closed_is_opened_anew_once(self):
        served = threading.Event()

        def once(connection: socket.socket) -> None:
            connection.sendall(OK)
            if not served.is_set():
                served.set()
                read_request(connection)  # takes the second one too, and hangs up

        with raw_receiver(once) as url:
            assert send(url).reconnects == 0
            again = send(url)
        assert (again.outcome, again.reconnects) == (Outcome.SUCCEEDED, 1)

    def test_are_given_up_oldest_first(self, monkeypatch):
        monkeypatch.setattr(connections, "_ORIGINS_KEPT", 1)
        with running_receiver() as one, running_receiver() as other:
            for receiver in (one, other, one, one):
                send(receiver.url)
            assert (one.connections, other.connections) == (2, 1)

    def test_of_one_receiver_are_kept_up_to_a_number(self, monkeypatch):
        monkeypatch.setattr(connections, "_KEPT_PER_ORIGIN", 0)
        with running_receiver() as receiver:
            for _ in range(2):
                send(receiver.url)
            assert receiver.connections == 2

    def test_that_the_receiver_closed_are_seen_before_they_are_used(self):
        with raw_receiver(lambda connection: connection.sendall(OK)) as url:
            assert send(url).reconnects == 0
            time.sleep(0.05)
            assert send(url).reconnects == 0


class TestHeaders:
    def test_end_where_they_end(self):
        """No value of ours holds a line break; one that did would write headers of its own."""
        with running_receiver() as receiver:
            answer = post(receiver.url, {"X-KaiVox-Event": "a\r\nX-Admin: 1"}, b"{}")
            assert (answer.outcome, receiver.requests) == (Outcome.PROTOCOL_ERROR, [])


class TestCertificates:
    @pytest.fixture
    def https(self, tmp_path):
        """A receiver with a certificate for localhost that nobody has signed; (port, its file)."""
        key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with running_receiver() as receiver:
            receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
            yield receiver.server_port, str(certificate)

    def test_an_unknown_issuer_is_a_tls_error(self, https):
        port, _ = https
        answer = send(f"https://localhost:{port}/")
        assert answer.outcome is Outcome.TLS_ERROR
        assert "self-signed" in answer.message

    def test_a_trusted_one_is_fine_by_its_name_only(self, https, settings):
        port, certificate = https
        settings.WEBHOOK_CA_FILE = certificate
        assert send(f"https://localhost:{port}/").succeeded
        assert send(f"https://127.0.0.1:{port}/").outcome is Outcome.TLS_ERROR


class TestBlockedDestinations:
    """Canaries on loopback: none of the ways to write their address may reach them."""

    @pytest.fixture
    def canary(self, settings):
        settings.WEBHOOK_ALLOW_PRIVATE = False
        with running_receiver() as receiver:
            yield receiver

    @pytest.mark.parametrize(
        "host",
        (
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0",
            "0.0.0.0",  # noqa: S104 - an address to refuse
            "localhost",
            "LOCALHOST.",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "１２７.0.0.1",
            "127。0。0。1",
        ),
    )
    def test_no_spelling_of_loopback_is_connected_to(self, canary, host):
        answer = send(f"http://{host}:{canary.server_port}/hook")
        assert not answer.succeeded
        assert "127" not in answer.message
        assert canary.connections == 0

    def test_a_name_that_changes_its_address_is_caught(self, canary, monkeypatch):
        """DNS rebinding: public when vetted at entry, loopback when connected to."""
        answers = iter(["93.184.216.34", "127.0.0.1"])

        def look_up(host, port, *rest, **more):
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (next(answers), port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        from webhooks.destinations import is_allowed, resolve

        assert is_allowed(resolve("rebind.example", 80, patience=1)[0][4][0])
        answer = send(f"http://rebind.example:{canary.server_port}/")
        assert answer.outcome is Outcome.BLOCKED_DESTINATION
        assert canary.connections == 0

    def test_one_private_address_among_public_ones_blocks(self, canary, monkeypatch):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        mixed = [(*kind, (ip, canary.server_port)) for ip in ("93.184.216.34", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: mixed)
        assert send("http://mixed.example/").outcome is Outcome.BLOCKED_DESTINATION
        assert canary.connections == 0

    def test_the_peer_is_vetted_too(self, canary, monkeypatch):
        """Even if a vetted address led to loopback (a hijacked route), nothing is sent."""
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        there = [(*kind, ("127.0.0.1", canary.server_port))]
        monkeypatch.setattr(connections, "resolve", lambda *a, **k: there)
        vetted = iter([True, False])
        monkeypatch.setattr(connections, "is_allowed", lambda address: next(vetted))
        assert send("http://hijacked.example/").outcome is Outcome.BLOCKED_DESTINATION
        assert canary.requests == []


class TestSlowNames:
    def test_a_look_up_that_hangs_ends_in_time(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(2) or [])
        assert send("http://slow.example/").outcome in (Outcome.DNS_ERROR, Outcome.TIMEOUT)
