"""Connections: reuse, certificate verification and blocked destinations."""

from __future__ import annotations

import gc
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.webhooks.receivers import accepting, raw_receiver, read_request, running_receiver
from webhooks import guarded_connections, sender
from webhooks.guarded_connections import Exchange
from webhooks.models import AttemptOutcome
from webhooks.sender import post
from webhooks.total_timeout import TotalTimeout

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def on_loopback(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_TIMEOUT_SECONDS = 20
    sender._session_of.cache_clear()


def send(url: str, **more):
    return post(url, {"Content-Type": "application/json"}, b'{"a":1}', endpoint_id=1, **more)


class TestConnections:
    def test_are_reused(self):
        with running_receiver() as receiver:
            for _ in range(5):
                send(receiver.url)
            assert (len(receiver.requests), receiver.connections) == (5, 1)

    def test_a_reused_one_that_was_closed_is_reopened_once(self):
        served = threading.Event()

        def once(connection: socket.socket) -> None:
            connection.sendall(OK)
            if not served.is_set():
                served.set()
                read_request(connection)  # reads the second one too, then closes

        with raw_receiver(once) as url:
            assert send(url).reconnects == 0
            again = send(url)
        assert (again.outcome, again.reconnects) == (AttemptOutcome.SUCCEEDED, 1)

    def test_of_a_second_attempt_are_new(self):
        """Another pooled connection may be as stale as the first."""
        with running_receiver() as receiver:
            send(receiver.url)
            request = requests.Request("POST", receiver.url, data=b"{}").prepare()
            exchange = Exchange(TotalTimeout(20), needs_new_connection=True)
            with sender._send(sender._session_of(1), request, exchange) as response:
                assert response.status_code == 200
            assert receiver.connections == 2

    def test_are_not_opened_again_once_a_response_began(self):
        requests = []

        def serve(connection: socket.socket) -> None:
            with connection:
                requests.append(read_request(connection))
                connection.sendall(OK)
                requests.append(read_request(connection))
                connection.sendall(b"HTTP/1.")

        with accepting(serve) as port:
            assert send(f"http://127.0.0.1:{port}/").succeeded
            again = send(f"http://127.0.0.1:{port}/")
        assert (again.outcome, len(requests)) == (AttemptOutcome.PROTOCOL_ERROR, 2)

    def test_of_a_dropped_session_are_closed(self):
        ended = threading.Event()

        def serve(connection: socket.socket) -> None:
            while read_request(connection):
                connection.sendall(OK)
            ended.set()

        with accepting(serve) as port:
            for endpoint_id in range(1, sender._MAX_SESSIONS + 2):
                url = f"http://127.0.0.1:{port}/" if endpoint_id == 1 else "http://127.0.0.1:1/"
                post(url, {}, b"{}", endpoint_id=endpoint_id)
            gc.collect()
            assert ended.wait(20)

    def test_are_pooled_per_endpoint(self):
        with running_receiver() as receiver, ThreadPoolExecutor(16) as threads:
            # Threads that all are the first to send each make a session, and one of these is stored.
            assert send(receiver.url).succeeded
            results = list(threads.map(lambda _: send(receiver.url), range(200)))
            assert all(result.succeeded for result in results)
            assert len(receiver.requests) == 201
            assert receiver.connections <= 16

    def test_that_the_receiver_closed_are_seen_before_they_are_used(self):
        with raw_receiver(lambda connection: connection.sendall(OK)) as url:
            assert send(url).reconnects == 0
            time.sleep(0.05)
            assert send(url).reconnects == 0


class TestCertificates:
    def test_an_unknown_issuer_is_a_tls_error(self, https):
        port, _, _ = https
        response = send(f"https://localhost:{port}/")
        assert response.outcome is AttemptOutcome.TLS_ERROR
        assert "self-signed" in response.message

    def test_a_trusted_one_is_accepted_for_its_name_only(self, https, settings):
        port, certificate, _ = https
        settings.WEBHOOK_CA_FILE = certificate
        assert send(f"https://localhost:{port}/").succeeded
        assert send(f"https://127.0.0.1:{port}/").outcome is AttemptOutcome.TLS_ERROR

    def test_what_follows_a_response_within_a_record_is_seen(self, tls_context, settings):
        """Our buffer reads 8 KiB of a TLS record of 16; the rest is visible on no socket."""
        context, settings.WEBHOOK_CA_FILE = tls_context
        connections = []

        def serve(connection: socket.socket) -> None:
            connections.append(connection)
            with context.wrap_socket(connection, server_side=True) as encrypted:
                while read_request(encrypted):
                    start = b"HTTP/1.1 200 OK\r\nContent-Length: 8151\r\n\r\n"
                    encrypted.sendall(start.ljust(8192, b"x") + OK)

        with accepting(serve) as port:
            for _ in range(2):
                result = send(f"https://localhost:{port}/")
                assert (result.http_status, result.body[:1]) == (200, b"x")
        assert len(connections) == 2

    def test_connections_are_reused(self, https, settings):
        port, settings.WEBHOOK_CA_FILE, receiver = https
        for _ in range(3):
            assert send(f"https://localhost:{port}/").succeeded
        assert receiver.connections == 1

    def test_a_handshake_may_take_longer_than_a_connect(self, https, settings, monkeypatch):
        port, settings.WEBHOOK_CA_FILE, receiver = https
        monkeypatch.setattr(guarded_connections, "CONNECT_SECONDS", 0.3)
        receiver.before_accept = lambda: time.sleep(0.8)
        assert send(f"https://localhost:{port}/").succeeded

    @pytest.mark.parametrize("first", (b"", b"HTTP/1.1 400 Plain HTTP\r\n\r\n", b"\x16\x03"))
    def test_no_handshake_is_a_tls_error(self, first):
        def serve(connection: socket.socket) -> None:
            with connection:
                connection.recv(10)
                connection.sendall(first)

        with accepting(serve) as port:
            assert send(f"https://127.0.0.1:{port}/").outcome is AttemptOutcome.TLS_ERROR


class TestBlockedDestinations:
    """No spelling of a loopback address reaches a receiver there."""

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
            "0.0.0.0",  # noqa: S104 - an address to reject
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
        response = send(f"http://{host}:{canary.server_port}/hook")
        assert not response.succeeded
        assert "127" not in response.message
        assert canary.connections == 0

    def test_a_name_that_changes_its_address_is_caught(self, canary, monkeypatch):
        """DNS rebinding: public when the URL is checked, loopback when it is connected to."""
        responses = iter(["93.184.216.34", "127.0.0.1"])

        def look_up(host, port, *rest, **more):
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (next(responses), port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        from webhooks.ssrf import is_allowed, resolve

        assert is_allowed(resolve("rebind.example", 80, seconds=1)[0][4][0])
        response = send(f"http://rebind.example:{canary.server_port}/")
        assert response.outcome is AttemptOutcome.BLOCKED_DESTINATION
        assert canary.connections == 0

    def test_one_private_address_among_public_ones_blocks(self, canary, monkeypatch):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        mixed = [(*kind, (ip, canary.server_port)) for ip in ("93.184.216.34", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: mixed)
        assert send("http://mixed.example/").outcome is AttemptOutcome.BLOCKED_DESTINATION
        assert canary.connections == 0

    def test_the_peer_address_is_checked_too(self, canary, monkeypatch):
        """Even if an allowed address leads to loopback (a hijacked route), nothing is sent."""
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        there = [(*kind, ("127.0.0.1", canary.server_port))]
        monkeypatch.setattr(guarded_connections, "resolve", lambda *a, **k: there)
        verdicts = iter([True, False])
        monkeypatch.setattr(guarded_connections, "is_allowed", lambda address: next(verdicts))
        assert send("http://hijacked.example/").outcome is AttemptOutcome.BLOCKED_DESTINATION
        assert canary.requests == []
