"""HTTP clients of the drills: concurrent requests from several processes."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

# Barrier of the processes of `_pool`, set in each of them.
_barrier: Barrier


@dataclass(frozen=True, slots=True)
class Call:
    """One GET request."""

    url: str
    key: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """One response; times in Unix seconds."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    sent: float
    answered: float

    @property
    def took(self) -> float:
        return self.answered - self.sent

    def json(self) -> Any:
        return json.loads(self.body)


def one_by_one(calls: Sequence[Call]) -> list[Response]:
    """Sends the requests sequentially on one connection."""
    connection = _connect(calls[0])
    try:
        return [_make(connection, call) for call in calls]
    finally:
        connection.close()


def all_at_once(
    calls: Sequence[Call], *, processes: int, threads: int | None = None
) -> list[Response]:
    """Splits the requests among processes, each of which sends its part with one thread per request, or
    with `threads`; all start together."""
    parts = [list(calls[number::processes]) for number in range(processes)]
    if processes == 1:
        return _together(parts[0], threads)
    answered = _pool(processes).map(_after_barrier, parts, [threads] * processes)
    return [answer for part in answered for answer in part]


def keep_calling(
    calls: Sequence[Call], *, seconds: float, threads: int, pause: float
) -> list[Response]:
    """Sends the requests in turn, with a pause after each, for `seconds`."""
    until = time.time() + seconds

    def work(number: int) -> list[Response]:
        connection = _connect(calls[0])
        answers = []
        while time.time() < until:
            call = calls[(len(answers) + number) % len(calls)]
            answers.append(_make(connection, call))
            time.sleep(pause)
        connection.close()
        return answers

    with ThreadPoolExecutor(threads) as pool:
        return [answer for part in pool.map(work, range(threads)) for answer in part]


@cache
def _pool(processes: int) -> ProcessPoolExecutor:
    """Cached, as starting a process costs more than the requests that it sends."""
    context = get_context("spawn")
    barrier = context.Barrier(processes)
    return ProcessPoolExecutor(processes, context, initializer=_wait_at, initargs=(barrier,))


def _wait_at(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _after_barrier(calls: Sequence[Call], threads: int | None) -> list[Response]:
    _barrier.wait()
    return _together(calls, threads)


def _together(calls: Sequence[Call], threads: int | None) -> list[Response]:
    threads = min(threads or len(calls), len(calls))
    ready = threading.Barrier(threads)

    def work(number: int) -> list[Response]:
        connection = _connect(calls[0])
        connection.connect()
        ready.wait()
        try:
            return [_make(connection, call) for call in calls[number::threads]]
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return [answer for part in pool.map(work, range(threads)) for answer in part]


def _connect(call: Call) -> http.client.HTTPConnection:
    parts = urlsplit(call.url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _make(connection: http.client.HTTPConnection, call: Call) -> Response:
    path = urlsplit(call.url).path
    sent = time.time()
    connection.request("GET", path, headers={"X-API-Key": call.key, **call.headers})
    response = connection.getresponse()
    body = response.read()
    answered = time.time()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Response(call.url, response.status, headers, body, sent, answered)
