"""Clients that request large responses and do not read them do not block others."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from django.conf import settings
from waitress.server import create_server

from kaivox.api import streams
from kaivox.api.concurrency import in_progress
from kaivox.server import waitress
from tests import factories
from tests.own_servers import free_port

ROWS = 10_000  # 20 MB
ROUNDS = 20


def fill_and_issue_key(stack, slug: str) -> str:
    """A key of the business `slug`, which has ROWS more customers then."""
    program = f"""
from django.core.management import call_command
from customers.models import Customer
from kaivox.businesses.models import Business
business = Business.objects.get(slug="{slug}")
Customer.objects.bulk_create(
    Customer(business=business, name=f"Client {{n}}", phone=f"+9170{{n:08d}}", notes="x" * 1_700)
    for n in range({ROWS})
)
call_command("issue_api_key", "--business", "{slug}", "--name", "Slow")
"""
    return stack.manage("shell", "--no-imports", "-c", program)


def connect(port: int, window: int = 4096) -> socket.socket:
    """Connects with a small receive window, like a distant client."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    return client


def get(port: int, path: str, key: str = "") -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n".encode()
        )
        said = b"".join(iter(lambda: client.recv(1 << 20), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.skipif(
    not settings.EMBEDDED, reason="production has nginx: tests/server/test_nginx.py"
)
def test_stalled_readers_do_not_block_others(stack):
    with ExitStack() as clients:
        port = int(stack.url.rpartition(":")[2])
        key = fill_and_issue_key(stack, "studio-nine")
        path = "/api/v1/customers?format=ndjson"
        slow = [clients.enter_context(connect(port)) for _ in range(8)]
        for client in slow:
            client.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode()
            )
        took = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            assert get(port, "/healthz")[0] == 200
            assert get(port, "/api/v1/business", key)[0] == 200
            took.append(time.monotonic() - began)
            time.sleep(0.1)
        sys.stdout.write(f"Two requests beside eight that do not read: {max(took):.2f} s at most\n")
        assert max(took) < waitress.STALL_SECONDS / 2  # it would wait for their disconnection
        statuses = Counter(client.recv(12).split()[1] for client in slow)
        assert statuses == {b"200": 2, b"429": 6}
        # Their places are free again when all is written, though they have not read a line.
        until = time.monotonic() + 60
        while (found := get(port, path, key))[0] == 429:
            assert time.monotonic() < until
            time.sleep(2)
        assert found[1].count(b"\n") > ROWS


class TestWaitress:
    """The server alone, with an application that writes more than may wait unread."""

    @pytest.fixture
    def port(self, monkeypatch):
        monkeypatch.setattr(waitress, "STALL_SECONDS", 1)
        monkeypatch.setattr(waitress, "MAX_UNREAD", 1 << 20)
        monkeypatch.setattr("waitress.server.BaseWSGIServer.channel_class", waitress.Channel)
        self.closed = threading.Semaphore(0)
        sockets: dict = {}
        options = {**waitress.options(), "threads": 2}
        port = free_port()
        server = create_server(self.answer, map=sockets, host="127.0.0.1", port=port, **options)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield port
        server.trigger.pull_trigger(lambda: self.stop(sockets))
        thread.join(10)
        server.task_dispatcher.shutdown()
        assert not thread.is_alive()

    def answer(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self if environ["PATH_INFO"] == "/much" else [b"short"]

    def __iter__(self):
        return (b"x" * (1 << 20) for _ in range(50))

    def close(self):
        self.closed.release()

    @staticmethod
    def stop(sockets):
        for dispatcher in list(sockets.values()):
            dispatcher.close()

    @pytest.mark.parametrize("requests", (1, 3), ids=("one", "pipelined"))
    def test_disconnects_who_reads_nothing(self, port, requests):
        with ExitStack() as clients:
            for _ in range(2):  # as many as there are threads
                client = clients.enter_context(connect(port))
                client.sendall(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n" * requests)
            for _ in range(2):
                assert self.closed.acquire(timeout=15)
            assert get(port, "/")[1] == b"short"

    def test_keeps_who_reads_slowly(self, port):
        with connect(port, window=65_536) as client:
            client.sendall(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
            read, until = 0, time.monotonic() + 3
            while time.monotonic() < until:
                read += len(client.recv(65_536))
                time.sleep(0.1)
            while piece := client.recv(1 << 20):
                read += len(piece)
        assert read > 50 << 20


@pytest.mark.django_db
class TestLimit:
    @pytest.fixture(autouse=True)
    def rows(self, business):
        factories.make_customer(business)

    def test_is_two_for_a_business(self, client, stranger):
        path = "/api/v1/customers?format=csv"
        first, second = client.get(path), client.get(path)
        refused = client.get(path)
        assert refused.status_code == 429
        assert refused.json()["code"] == "too_many_streams"
        assert int(refused["Retry-After"]) > 0
        assert stranger.get(path).getvalue()
        assert first.getvalue()
        third = client.get(path)
        assert third.status_code == 200
        for response in (second, third):
            response.getvalue()

    def test_does_not_count_who_left(self, business):
        for _ in range(5):
            stream = streams.LimitedStream(business.pk, [b"some", b"more"])
            assert next(stream) == b"some"
            stream.close()

    def test_does_not_count_what_broke(self, business):
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                next(streams.LimitedStream(business.pk, (1 // 0 for _ in range(2))))

    def test_does_not_count_a_head(self, client):
        for _ in range(5):
            assert client.head("/api/v1/customers?format=ndjson").status_code == 200

    def test_pauses_for_requests_of_others_only(self, business, other_business, monkeypatch):
        slept = []
        monkeypatch.setattr(streams, "MAX_PAUSE_SECONDS", 0.01)
        monkeypatch.setattr(streams.time, "sleep", slept.append)
        stream = streams.LimitedStream(business.pk, [b"1", b"2", b"3"])
        end_own = in_progress.begin(business.pk)
        next(stream)
        assert slept == []
        end_other = in_progress.begin(other_business.pk)
        next(stream)  # continues, though the other's request does not end
        assert set(slept) == {streams._POLL_SECONDS}
        end_other()
        slept.clear()
        next(stream)
        assert slept == []
        end_own()
        stream.close()

    def test_does_not_wait_for_one_whose_query_is_stuck(self, business, monkeypatch):
        monkeypatch.setattr(streams, "_PATIENCE_SECONDS", 0.01)
        with streams._computing:
            stream = streams.LimitedStream(business.pk, [b"piece"])
            assert next(stream) == b"piece"
        stream.close()
        assert not streams._computing.locked()

    def test_of_the_process_leaves_half_of_its_threads(self, client, stranger, monkeypatch):
        monkeypatch.setattr(streams, "_threads", threading.BoundedSemaphore(1))
        path = "/api/v1/customers?format=csv"
        first = client.get(path)
        refused = stranger.get(path)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert first.getvalue()
        assert stranger.get(path).getvalue()
