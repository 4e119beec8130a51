"""The clients: one object with the resources of the API as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Any, Final

import httpx

from kaivox._events import AsyncFollowedEventsResource, FollowedEventsResource
from kaivox._generated.resources import AsyncResources, Resources
from kaivox._retries import RetryPolicy
from kaivox._transport import ApiCall, AsyncTransport, Options, SyncTransport, options_of

_TIMEOUT_SECONDS: Final = 30.0
_MAX_RETRIES: Final = 3
_MAX_RETRY_WAIT_SECONDS: Final = 65.0  # the minute's quota is free again


class KaiVox(Resources):
    """Client of the KaiVox API.

    `api_key`: default the environment variable `KAIVOX_API_KEY`.
    `sandbox`: True accepts only a key of a sandbox (default: `KAIVOX_TEST_API_KEY`), False only a
    key of live data; None either.
    `base_url`: default `KAIVOX_URL`, else a server on this machine.
    `timeout`: seconds without progress of a request. `max_retries`: of requests that may be
    repeated. `max_retry_wait`: a longer `Retry-After` is raised as RateLimitError instead.
    `http_client`: an httpx.Client of your own, for a proxy or certificates.

    Raises KaiVoxError where the key is missing or of the wrong kind.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        sandbox: bool | None = None,
        base_url: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        max_retries: int = _MAX_RETRIES,
        max_retry_wait: float = _MAX_RETRY_WAIT_SECONDS,
        http_client: httpx.Client | None = None,
    ) -> None:
        options = options_of(
            api_key=api_key,
            base_url=base_url,
            sandbox=sandbox,
            timeout=timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
        )
        self._transport = SyncTransport(options, http_client)

    @property
    def base_url(self) -> str:
        """Address of the server."""
        return self._transport.options.base_url

    @property
    def livemode(self) -> bool:
        """False with a key of a sandbox."""
        return self._transport.options.livemode

    @cached_property
    def events(self) -> FollowedEventsResource:
        return FollowedEventsResource(self._transport)

    def with_options(
        self, *, timeout: float | None = None, max_retries: int | None = None
    ) -> KaiVox:
        """The same client with other options; it shares the connections."""
        other = object.__new__(type(self))
        options = _changed(self._transport.options, timeout, max_retries)
        other._transport = self._transport.with_options(options)
        return other

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The response to any request below `/api/v1`, for what has no method here, such as
        `format=csv`. With retries, idempotency keys and typed errors like all others."""
        return self._transport.send(
            ApiCall(method.upper(), path, params or {}, json, headers or {})
        )

    def close(self) -> None:
        """Closes the connections."""
        self._transport.http.close()

    def __enter__(self) -> KaiVox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self._transport.options)})"


class AsyncKaiVox(AsyncResources):
    """Client of the KaiVox API for asyncio. Its arguments are those of `KaiVox`; `http_client` is an
    httpx.AsyncClient."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        sandbox: bool | None = None,
        base_url: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        max_retries: int = _MAX_RETRIES,
        max_retry_wait: float = _MAX_RETRY_WAIT_SECONDS,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        options = options_of(
            api_key=api_key,
            base_url=base_url,
            sandbox=sandbox,
            timeout=timeout,
            max_retries=max_retries,
            max_retry_wait=max_retry_wait,
        )
        self._transport = AsyncTransport(options, http_client)

    @property
    def base_url(self) -> str:
        """Address of the server."""
        return self._transport.options.base_url

    @property
    def livemode(self) -> bool:
        """False with a key of a sandbox."""
        return self._transport.options.livemode

    @cached_property
    def events(self) -> AsyncFollowedEventsResource:
        return AsyncFollowedEventsResource(self._transport)

    def with_options(
        self, *, timeout: float | None = None, max_retries: int | None = None
    ) -> AsyncKaiVox:
        """The same client with other options; it shares the connections."""
        other = object.__new__(type(self))
        options = _changed(self._transport.options, timeout, max_retries)
        other._transport = self._transport.with_options(options)
        return other

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The response to any request below `/api/v1`, for what has no method here, such as
        `format=csv`. With retries, idempotency keys and typed errors like all others."""
        call = ApiCall(method.upper(), path, params or {}, json, headers or {})
        return await self._transport.send(call)

    async def close(self) -> None:
        """Closes the connections."""
        await self._transport.http.aclose()

    async def __aenter__(self) -> AsyncKaiVox:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self._transport.options)})"


def _changed(options: Options, timeout: float | None, max_retries: int | None) -> Options:
    policy = options.policy
    if max_retries is not None:
        policy = RetryPolicy(max_retries, policy.max_wait_seconds)
    return replace(options, timeout=options.timeout if timeout is None else timeout, policy=policy)


def _shown(options: Options) -> str:
    return f"{options.auth!r}, base_url={options.base_url!r}"
