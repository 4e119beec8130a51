"""A deletion whose response was lost, over real connections."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest
from conftest import KEY

from kaivox import AsyncKaiVox, KaiVox, errors

Outcome = tuple[int, str]
LOST = (0, "")
GONE = (404, "not_found")


def response_of(status: int, code: str) -> bytes:
    body = {"success": False, "code": code, "message": "No.", "errors": {}, "meta": {}}
    text = json.dumps(body if code else "<h1>No</h1>").encode()
    head = f"HTTP/1.1 {status} X\r\nRetry-After: 0\r\nConnection: close\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(text) + text


class Server:
    """Reads one request on each connection, and responds with the next outcome or not at all."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    if not (part := connection.recv(65536)):
                        return  # closed without a request: the end
                    head += part
                self.requests.append(head.decode().partition(" HTTP/")[0])
                status, code = self.outcomes.pop(0)
                if status:
                    connection.sendall(response_of(status, code))

    def close(self) -> None:
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def tcp() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def delete(url: str, *, is_async: bool, if_match: str | None = None) -> None:
    async def deletion() -> None:
        async with AsyncKaiVox(KEY, base_url=url) as client:
            client._transport.sleep = lambda _: asyncio.sleep(0)
            await client.webhooks.delete(7, if_match=if_match)

    if is_async:
        return asyncio.run(deletion())
    with KaiVox(KEY, base_url=url) as client:
        client._transport.sleep = lambda _: None
        client.webhooks.delete(7, if_match=if_match)
    return None


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "outcomes", [[LOST, GONE], [(504, ""), GONE], [LOST, (429, "rate_limit_exceeded"), GONE]]
)
def test_has_succeeded_where_an_earlier_try_may_have_arrived(
    tcp: Server, is_async: bool, outcomes: Sequence[Outcome]
) -> None:
    tcp.outcomes = list(outcomes)
    delete(tcp.url, is_async=is_async)
    assert tcp.requests == ["DELETE /api/v1/webhooks/7"] * len(outcomes)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "outcomes",
    [
        [GONE],
        [(429, "rate_limit_exceeded"), GONE],
        [(503, "service_unavailable"), GONE],
        [LOST, (404, "")],  # a proxy's
        [LOST, (403, "insufficient_scope")],
    ],
)
def test_is_an_error_otherwise(tcp: Server, is_async: bool, outcomes: Sequence[Outcome]) -> None:
    tcp.outcomes = list(outcomes)
    with pytest.raises(errors.APIError):
        delete(tcp.url, is_async=is_async)
    assert tcp.outcomes == []


def test_with_a_precondition_it_is_not_repeated(tcp: Server) -> None:
    tcp.outcomes = [LOST]
    with pytest.raises(errors.APIConnectionError):
        delete(tcp.url, is_async=False, if_match='"v1"')


def test_a_lost_read_of_nothing_is_not_found(tcp: Server) -> None:
    tcp.outcomes = [LOST, GONE, LOST, GONE]
    with KaiVox(KEY, base_url=tcp.url) as client:
        client._transport.sleep = lambda _: None
        with pytest.raises(errors.NotFound):
            client.webhooks.get(7)
        with pytest.raises(errors.NotFound):
            client.appointments.cancel(7)
