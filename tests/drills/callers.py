"""Callers of the drills: many requests, from several processes at once."""

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

# Of a process of `_pool`: where all of them wait for each other.
_together_at: Barrier


@dataclass(frozen=True, slots=True)
class Call:
    """One GET to be made."""

    url: str
    key: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came; times in Unix seconds."""

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


def one_by_one(calls: Sequence[Call]) -> list[Answer]:
    """Each after the other, on one connection."""
    connection = _connect(calls[0])
    try:
        return [_make(connection, call) for call in calls]
    finally:
        connection.close()


def all_at_once(
    calls: Sequence[Call], *, processes: int, threads: int | None = None
) -> list[Answer]:
    """Shared out among processes, each of which makes its part at once, or with `threads`; all begin
    when the last of them is ready."""
    parts = [list(calls[number::processes]) for number in range(processes)]
    if processes == 1:
        return _together(parts[0], threads)
    answered = _pool(processes).map(_with_the_others, parts, [threads] * processes)
    return [answer for part in answered for answer in part]


def keep_calling(
    calls: Sequence[Call], *, seconds: float, threads: int, pause: float
) -> list[Answer]:
    """Makes the calls in turn, with a pause after each, until the time is over."""
    until = time.time() + seconds

    def work(number: int) -> list[Answer]:
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
    """Kept: a process that starts takes more of the machine than the calls that it makes."""
    context = get_context("spawn")
    barrier = context.Barrier(processes)
    return ProcessPoolExecutor(processes, context, initializer=_wait_at, initargs=(barrier,))


def _wait_at(barrier: Barrier) -> None:
    global _together_at
    _together_at = barrier


def _with_the_others(calls: Sequence[Call], threads: int | None) -> list[Answer]:
    _together_at.wait()
    return _together(calls, threads)


def _together(calls: Sequence[Call], threads: int | None) -> list[Answer]:
    threads = min(threads or len(calls), len(calls))
    ready = threading.Barrier(threads)

    def work(number: int) -> list[Answer]:
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


def _make(connection: http.client.HTTPConnection, call: Call) -> Answer:
    path = urlsplit(call.url).path
    sent = time.time()
    connection.request("GET", path, headers={"X-API-Key": call.key, **call.headers})
    response = connection.getresponse()
    body = response.read()
    answered = time.time()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(call.url, response.status, headers, body, sent, answered)
