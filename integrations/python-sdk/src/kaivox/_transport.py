"""Sends requests with the API key, repeats them by the retry policy and raises typed errors."""

from __future__ import annotations

import asyncio
import os
import platform
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import httpx

from kaivox._errors import APIConnectionError, KaiVoxError
from kaivox._model import Items, Model, ResponseInfo, passed, to_query
from kaivox._retries import RetryPolicy, final_error, is_not_found, may_have_run
from kaivox._version import VERSION

DEFAULT_URL: Final = "http://127.0.0.1:8000"
_PATH: Final = "/api/v1"
_LIVE, _TEST = "kv_live_", "kv_test_"

ModelT = TypeVar("ModelT", bound=Model)
MetaT = TypeVar("MetaT", bound=Model)


class BearerKey(httpx.Auth):
    """Adds the API key to each request. `Authorization`, since httpx masks it where headers are shown."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request

    def __repr__(self) -> str:
        return f"BearerKey({self._key[:8]}…{self._key[-4:]})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("An API key is not pickled: create the client where it is used.")


@dataclass(frozen=True)
class Options:
    """What a client was created with."""

    auth: BearerKey
    base_url: str
    livemode: bool
    timeout: float
    policy: RetryPolicy


def options_of(
    *,
    api_key: str | None,
    base_url: str | None,
    sandbox: bool | None,
    timeout: float,
    max_retries: int,
    max_retry_wait: float,
) -> Options:
    """Options from arguments and environment. Raises KaiVoxError for a key that does not fit."""
    variable = "KAIVOX_TEST_API_KEY" if sandbox else "KAIVOX_API_KEY"
    key = (api_key or os.environ.get(variable, "")).strip()
    if not key:
        raise KaiVoxError(f"No API key: pass api_key, or set {variable}.")
    if not key.startswith((_LIVE, _TEST)) or not key.isascii() or not key.isprintable():
        raise KaiVoxError(f"This is not an API key of KaiVox: keys start with {_LIVE} or {_TEST}.")
    livemode = key.startswith(_LIVE)
    if sandbox is not None and sandbox is livemode:
        expected, kind = (_TEST, "a sandbox") if sandbox else (_LIVE, "live data")
        raise KaiVoxError(f"sandbox={sandbox} needs a key of {kind}, which starts with {expected}.")
    url = (base_url or os.environ.get("KAIVOX_URL") or DEFAULT_URL).strip().rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise KaiVoxError(f"{url!r} is not an address that starts with https:// or http://.")
    return Options(BearerKey(key), url, livemode, timeout, RetryPolicy(max_retries, max_retry_wait))


@dataclass(frozen=True)
class ApiCall:
    """One call of the API: its arguments as they go into the HTTP request."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    deletes: bool = False
    """Whether it has succeeded once the object is gone."""

    def has_succeeded(self, response: httpx.Response, *, may_have_run: bool) -> bool:
        """`may_have_run`: the response to an earlier try of this call was lost, and with it the
        deletion may have been executed."""
        if response.is_success:
            return True
        return self.deletes and may_have_run and is_not_found(response)

    def is_repeatable(self) -> bool:
        """Whether a second execution changes nothing."""
        if self.method == "POST":
            return bool(self.headers.get("Idempotency-Key"))
        return not self.headers.get("If-Match")

    def with_idempotency_key(self) -> ApiCall:
        """A POST gets a new key, the same for all repetitions, unless the caller passed one."""
        if self.method != "POST" or self.headers.get("Idempotency-Key"):
            return self
        return replace(self, headers={**self.headers, "Idempotency-Key": str(uuid.uuid4())})

    def request(self, http: httpx.Client | httpx.AsyncClient, options: Options) -> httpx.Request:
        query = to_query(self.query)
        # A long poll takes `wait` seconds besides the usual time.
        timeout = options.timeout + float(query.get("wait", 0))
        return http.build_request(
            self.method,
            f"{options.base_url}{_PATH}{self.path}",
            params=query or None,
            json=None if self.body is None else passed(self.body),
            headers={name: value for name, value in self.headers.items() if value is not None},
            timeout=timeout,
        )


def _headers() -> dict[str, str]:
    agent = f"kaivox-python/{VERSION} python/{platform.python_version()}"
    return {"User-Agent": agent, "Accept": "application/json"}


class SyncTransport:
    """HTTP with blocking calls. Safe to use from several threads."""

    def __init__(self, options: Options, http: httpx.Client | None = None) -> None:
        self.options = options
        self.http = http or httpx.Client(headers=_headers())
        self.sleep: Callable[[float], None] = time.sleep

    def send(self, call: ApiCall) -> httpx.Response:
        """The response of a success. Raises APIError or APIConnectionError."""
        call = call.with_idempotency_key()
        retries, has_run = 0, False
        while True:
            outcome: httpx.Response | httpx.RequestError
            request = call.request(self.http, self.options)
            try:
                outcome = self.http.send(request, auth=self.options.auth)
            except httpx.RequestError as error:
                outcome = error
            else:
                if call.has_succeeded(outcome, may_have_run=has_run):
                    return outcome
            pause = self.options.policy.pause(retries, outcome, repeatable=call.is_repeatable())
            if pause is None:
                raise final_error(outcome) from None
            self.sleep(pause)
            retries, has_run = retries + 1, has_run or may_have_run(outcome)

    def with_options(self, options: Options) -> SyncTransport:
        """The same connections with other options."""
        return SyncTransport(options, self.http)


class AsyncTransport:
    """HTTP with awaitable calls, for asyncio."""

    def __init__(self, options: Options, http: httpx.AsyncClient | None = None) -> None:
        self.options = options
        self.http = http or httpx.AsyncClient(headers=_headers())
        self.sleep = asyncio.sleep

    async def send(self, call: ApiCall) -> httpx.Response:
        """The response of a success. Raises APIError or APIConnectionError."""
        call = call.with_idempotency_key()
        retries, has_run = 0, False
        while True:
            outcome: httpx.Response | httpx.RequestError
            request = call.request(self.http, self.options)
            try:
                outcome = await self.http.send(request, auth=self.options.auth)
            except httpx.RequestError as error:
                outcome = error
            else:
                if call.has_succeeded(outcome, may_have_run=has_run):
                    return outcome
            pause = self.options.policy.pause(retries, outcome, repeatable=call.is_repeatable())
            if pause is None:
                raise final_error(outcome) from None
            await self.sleep(pause)
            retries, has_run = retries + 1, has_run or may_have_run(outcome)

    def with_options(self, options: Options) -> AsyncTransport:
        """The same connections with other options."""
        return AsyncTransport(options, self.http)


def info_of(response: httpx.Response) -> ResponseInfo:
    headers = response.headers
    return ResponseInfo(
        status=response.status_code,
        request_id=headers.get("X-Request-ID", ""),
        etag=headers.get("ETag"),
        is_replay=headers.get("Idempotent-Replayed") == "true",
    )


def body_of(response: httpx.Response) -> dict[str, Any]:
    """The envelope of a success. Raises APIConnectionError for what only a proxy can have sent."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "data" not in body or "meta" not in body:
        raise APIConnectionError(
            f"The response of {response.url.host} is not one of the KaiVox API. Check the address."
        )
    return body


def object_of(response: httpx.Response, model: type[ModelT]) -> ModelT:
    """The object of a response."""
    return model(body_of(response)["data"], info_of(response))


def items_of(
    response: httpx.Response, model: type[ModelT], meta: type[MetaT]
) -> Items[ModelT, MetaT]:
    """The list of a response that has no pages."""
    body = body_of(response)
    return Items([model(row) for row in body["data"]], meta(body["meta"], info_of(response)))
