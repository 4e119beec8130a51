"""Each behaviour of a receiver leads to one defined result, over real sockets."""

from __future__ import annotations

import select
import socket
import threading
import time

import pytest
from django.utils import timezone

from tests.factories import make_endpoint, make_event
from tests.webhooks.behaviours import BEHAVIOURS, SHORT, Behaviour, head, ok, scripted, sends
from tests.webhooks.receivers import accepting, read_request
from webhooks import sender
from webhooks.models import Attempt, AttemptOutcome


@pytest.fixture(autouse=True)
def on_loopback(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    sender._session_of.cache_clear()


def send(url: str, body: bytes = b"{}", *, endpoint_id: int = 1) -> sender.DeliveryResult:
    return sender.post(url, {"Content-Length": str(len(body))}, body, endpoint_id=endpoint_id)


@pytest.mark.once
@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_leads_to_one_result(behaviour, settings):
    settings.WEBHOOK_TIMEOUT_SECONDS = behaviour.timeout
    times = 1 if behaviour.timeout == SHORT else 2
    with scripted(behaviour) as receiver:
        for turn in range(1, times + 1):
            result = send(receiver.url, b"x" * behaviour.body_bytes)
            assert (result.outcome, result.http_status) == (behaviour.outcome, behaviour.status)
            assert behaviour.message in result.message
            assert bool(result.message) == (behaviour.status is None or bool(behaviour.message))
            assert len(result.body) <= sender.MAX_STORED_BYTES
            assert result.duration_ms < behaviour.timeout * 1000 + 1000
            assert receiver.requests == turn
            assert times == 1 or receiver.turns.acquire(timeout=20)
        assert receiver.connections == (1 if behaviour.reused else times)


@pytest.mark.django_db
def test_leaves_one_attempt_row_each(business, deliver, settings):
    settings.WEBHOOK_HTTPS_ONLY = False
    settings.WEBHOOK_PORTS = []
    settings.WEBHOOK_TIMEOUT_SECONDS = 5
    rows: dict[int, Behaviour] = {}
    # The request's size is the event's here; the drill sends the flood.
    tested = [row for row in BEHAVIOURS if row.reads and "streams" not in row.name]
    receivers = [scripted(row) for row in tested]
    for behaviour, receiver in zip(tested, receivers, strict=True):
        endpoint = make_endpoint(business, url=receiver.__enter__().url)
        rows[endpoint.pk] = behaviour
    try:
        make_event(business, now=timezone.now())
        deliver()
    finally:
        for receiver in receivers:
            receiver.__exit__(None, None, None)
    for attempt in Attempt.objects.all():
        expected = rows.pop(attempt.endpoint_id)  # a second row would raise KeyError
        found = (attempt.outcome, attempt.http_status)
        assert found == (expected.outcome, expected.status), expected.name
    assert not rows


class TestTwoTenants:
    """Two businesses with endpoints on one host and port never get each other's response."""

    def test_a_late_final_response_is_not_read_by_another(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 20
        late = threading.Event()

        def serve(connection: socket.socket) -> None:
            with connection:
                while request := read_request(connection):
                    if b"/of-b" in request.split(b"\r\n", 1)[0]:
                        connection.sendall(head(500, "Content-Length: 8").encode() + b"answer-B")
                        continue
                    connection.sendall(head(103).encode())
                    time.sleep(0.3)
                    connection.sendall(ok("answer-A").encode())
                    late.set()

        with accepting(serve) as port:
            of_a: list[sender.DeliveryResult] = []
            first = threading.Thread(
                target=lambda: of_a.append(send(f"http://127.0.0.1:{port}/of-a", endpoint_id=1))
            )
            first.start()
            time.sleep(0.1)  # a's 103 has arrived, its 200 has not
            of_b = [send(f"http://127.0.0.1:{port}/of-b", endpoint_id=2)]
            first.join(20)
            assert late.wait(20)
            of_b += [send(f"http://127.0.0.1:{port}/of-b", endpoint_id=2) for _ in range(3)]
        assert {(row.http_status, row.body) for row in of_b} == {(500, b"answer-B")}
        assert [(row.http_status, row.body) for row in of_a] == [(200, b"answer-A")]

    def test_bytes_after_a_204_are_not_read_by_another(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 20

        def serve(connection: socket.socket) -> None:
            with connection:
                while request := read_request(connection):
                    if b"/of-b" in request.split(b"\r\n", 1)[0]:
                        connection.sendall(head(500, "Content-Length: 0").encode())
                        continue
                    connection.sendall(head(204).encode())
                    # The connection is idle and clean until b's request would use it.
                    select.select([connection], [], [], 0.5)
                    connection.sendall(ok("answer-A").encode())

        with accepting(serve) as port:
            assert send(f"http://127.0.0.1:{port}/of-a", endpoint_id=1).http_status == 204
            assert send(f"http://127.0.0.1:{port}/of-b", endpoint_id=2).http_status == 500

    def test_an_endpoint_has_connections_of_its_own(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 20
        behaviour = Behaviour("ok", sends(ok()), AttemptOutcome.SUCCEEDED)
        with scripted(behaviour) as receiver:
            for endpoint_id in (1, 2, 1, 2):
                send(receiver.url, endpoint_id=endpoint_id)
            assert receiver.connections == 2
