"""A server of canned responses, reached through httpx's MockTransport."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from kaivox import AsyncKaiVox, KaiVox

KEY = "kv_live_" + "a" * 38
TEST_KEY = "kv_test_" + "b" * 38


class Server:
    """Responds with what was `add`ed, in order, and stores the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []
        self._responses: list[httpx.Response | Exception] = []

    def add(
        self, data: Any, status: int = 200, *, meta: dict[str, Any] | None = None, **headers: str
    ) -> None:
        body = {"success": True, "data": data, "meta": {"request_id": "req_1", **(meta or {})}}
        self._responses.append(httpx.Response(status, json=body, headers=named(headers)))

    def add_error(
        self,
        status: int,
        code: str,
        *,
        meta: dict[str, Any] | None = None,
        errors: Any = None,
        **headers: str,
    ) -> None:
        body = {
            "success": False, "code": code, "message": "No.", "errors": errors or {},
            "doc_url": f"https://kaivox.example/docs/errors#{code}",
            "meta": {"request_id": "req_1", **(meta or {})},
        }  # fmt: skip
        self._responses.append(httpx.Response(status, json=body, headers=named(headers)))

    def add_raw(self, outcome: httpx.Response | Exception) -> None:
        self._responses.append(outcome)

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        outcome = self._responses.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def sent(self, number: int = -1) -> Any:
        """The JSON body of a request."""
        return json.loads(self.requests[number].content)

    def query(self, number: int = -1) -> dict[str, str]:
        return dict(self.requests[number].url.params)


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAIVOX_API_KEY", "KAIVOX_TEST_API_KEY", "KAIVOX_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def kaivox(server: Server) -> KaiVox:
    client = KaiVox(KEY, http_client=httpx.Client(transport=httpx.MockTransport(server.respond)))
    client._transport.sleep = server.pauses.append
    return client


@pytest.fixture
def async_kaivox(server: Server) -> Callable[[], AsyncKaiVox]:
    """Makes a client inside the running event loop."""

    def make() -> AsyncKaiVox:
        transport = httpx.MockTransport(server.respond)
        client = AsyncKaiVox(KEY, http_client=httpx.AsyncClient(transport=transport))

        async def pause(seconds: float) -> None:
            server.pauses.append(seconds)

        client._transport.sleep = pause
        return client

    return make
