"""Cost of the client: a list of 100,000 rows by cursor, compared with httpx and a loop.

    make bench ARGS=python_sdk, or  PYTHONPATH=src python bench.py [--rows N]

A server of canned pages runs in a process of its own, so that nearly all the time is the client's: a
real server responds more slowly, and the ratio is smaller. Both read `id` of each row. Rounds
alternate, and the figures are medians, of wall-clock time and of CPU time of the client's process.
Exits with 1 where the ratio of CPU times is over 1.15.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, urlsplit

import httpx

from kaivox import KaiVox

ROWS_OF_PAGE = 100
ROUNDS = 5
LIMIT = 1.15
KEY = "kv_live_" + "0" * 38


def row(number: int) -> dict[str, object]:
    """An appointment as the API shows it."""
    return {
        "id": number,
        "customer_id": 391,
        "customer_name": "Asha Rao",
        "service_id": 12,
        "service": "Dental cleaning",
        "staff_id": 5,
        "staff_name": "Dr. Meera Nair",
        "start_time": "2026-03-02T04:30:00Z",
        "end_time": "2026-03-02T05:00:00Z",
        "appointment_date": "2026-03-02",
        "appointment_time": "10:00",
        "timezone": "Asia/Kolkata",
        "duration_minutes": 30,
        "price": "1200.00",
        "currency": "INR",
        "status": "scheduled",
        "source": "api",
        "notes": "Prefers mornings.",
        "cancellation_reason": "",
        "call_id": None,
        "metadata": {"crm_id": "C-1042"},
        "created_at": "2026-02-24T09:12:41Z",
        "updated_at": "2026-02-24T09:12:41Z",
    }


class CannedPages(asyncio.Protocol):
    """HTTP/1.1 with keep-alive: page N of the list for `cursor=N`."""

    def __init__(self, pages: list[bytes]) -> None:
        self._pages = pages
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            query = parse_qs(urlsplit(head.split(b" ")[1].decode()).query)
            number = int(query.get("cursor", ["0"])[0] or 0)
            self._transport.write(self._pages[number])  # type: ignore[attr-defined]


def pages_of(rows: int) -> list[bytes]:
    """The responses, head and body."""
    count = rows // ROWS_OF_PAGE
    pages = []
    for number in range(count):
        data = [row(number * ROWS_OF_PAGE + position) for position in range(ROWS_OF_PAGE)]
        cursor = str(number + 1) if number + 1 < count else None
        meta = {"request_id": "req_1", "per_page": ROWS_OF_PAGE, "next_cursor": cursor}
        body = json.dumps({"success": True, "data": data, "meta": meta}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        pages.append(head.encode() + body)
    return pages


def serve(rows: int, port: Connection) -> None:
    async def run() -> None:
        pages = pages_of(rows)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: CannedPages(pages), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def by_httpx(url: str) -> int:
    """What a program without the SDK does."""
    count = 0
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/json"}
    with httpx.Client(headers=headers, timeout=30) as client:
        cursor: str | None = ""
        while cursor is not None:
            query = {"per_page": ROWS_OF_PAGE, "cursor": cursor}
            response = client.get(f"{url}/api/v1/appointments", params=query)
            response.raise_for_status()
            page = response.json()
            for found in page["data"]:
                count += found["id"] is not None
            cursor = page["meta"]["next_cursor"]
    return count


def by_sdk(url: str) -> int:
    count = 0
    with KaiVox(KEY, base_url=url) as kaivox:
        for found in kaivox.appointments.list():
            count += found.id is not None
    return count


def measured(read: Callable[[str], int], url: str, rows: int) -> tuple[float, float]:
    """Seconds by the clock, and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    assert read(url) == rows
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows // ROWS_OF_PAGE * ROWS_OF_PAGE
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(rows, theirs))
    server.start()
    try:
        url = f"http://127.0.0.1:{mine.recv()}"
        plain, ours = [], []
        for _ in range(ROUNDS):
            plain.append(measured(by_httpx, url, rows))
            ours.append(measured(by_sdk, url, rows))
    finally:
        server.terminate()
        server.join()
    print(f"{rows:,} rows in pages of {ROWS_OF_PAGE}, medians of {ROUNDS} rounds")
    ratio = 0.0
    for column, name in enumerate(("by the clock", "CPU of the client")):
        one, other = (statistics.median(times[column] for times in all_) for all_ in (plain, ours))
        ratio = other / one
        print(f"{name:18} httpx {one:6.2f} s   SDK {other:6.2f} s   ratio {ratio:.3f}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
