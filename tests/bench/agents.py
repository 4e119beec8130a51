"""Response times of the AI agents' tools `find_times` and `book`.

    python -m tests.servers python -m tests.bench.agents

gunicorn with two processes on PostgreSQL, a clinic with 20 people and 100,000 appointments; ten
concurrent callers look for a time and book it, through MCP. Between two tool calls a caller speaks for
a quarter of a second on average, which is less than in reality. Durations are those that the server
records with each tool call, and those that the callers measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import secrets
import statistics
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg

from tests.bench.clinic import BenchClinic, make_clinic
from tests.bench.serving import gunicorn
from tests.stack import empty_database

ALLOWED_MS = {"find_times": 100, "book": 200}
PEOPLE, APPOINTMENTS, CALLERS = 20, 100_000, 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="phone calls of each caller")
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between tool calls")
    calls, pause = (arguments := parser.parse_args()).calls, arguments.pause
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        clinic = make_clinic(url, people=PEOPLE, appointments=APPOINTMENTS, hours=((540, 1020),))
        with gunicorn(8433) as server:
            _call(server, clinic, 99, 10, 0.0)
            with psycopg.connect(url) as connection:
                connection.execute("DELETE FROM calls_toolcall")
            with ThreadPoolExecutor(CALLERS) as pool:
                seen = list(
                    pool.map(
                        lambda number: _call(server, clinic, number, calls, pause), range(CALLERS)
                    )
                )
        return _report(url, seen)


def _call(
    server: str, clinic: BenchClinic, caller: int, calls: int, pause: float
) -> list[tuple[str, float]]:
    """(tool, milliseconds) of each tool call. Raises SystemExit where one fails, unless
    another caller has booked the slot meanwhile."""
    address = urlsplit(server)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {clinic.key}"}
    took: list[tuple[str, float]] = []

    def ask(tool: str, **arguments: str) -> dict[str, object]:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
        }
        time.sleep(random.uniform(0.0, 2 * pause))  # callers do not speak in step
        begun = time.perf_counter()
        connection.request("POST", "/mcp", json.dumps(body), headers)
        result = json.loads(connection.getresponse().read())
        took.append((tool, (time.perf_counter() - begun) * 1000))
        if "result" not in result:
            sys.exit(f"{tool}: {result}")
        found: dict[str, object] = result["result"]["structuredContent"]
        return found

    for number in range(calls):
        headers["X-Call-Id"] = f"bench-{caller}-{number}"
        day = f"in {5 + (caller * calls + number) % 20} days"
        found = ask("find_times", service="chek", day=day)
        times = found["times"] or [found["next_available"]]
        assert isinstance(times, list)
        chosen = times[(caller + number) % len(times)]
        phone = f"+9190{caller:03}{number:05}"
        booked = ask("book", service="Check", start=chosen["start"], name="Asha Rao", phone=phone)
        if booked["status"] not in ("ok", "slot_unavailable"):
            sys.exit(f"book: {booked}")
    return took


def _report(url: str, seen: list[list[tuple[str, float]]]) -> int:
    by_tool: dict[str, list[float]] = defaultdict(list)
    for tool, milliseconds in (one for mine in seen for one in mine):
        by_tool[tool].append(milliseconds)
    failed = False
    with psycopg.connect(url) as connection:
        for tool, allowed in ALLOWED_MS.items():
            rows = connection.execute(
                "SELECT duration_ms FROM calls_toolcall WHERE tool = %s", [tool]
            )
            ours = [row[0] for row in rows]
            p50, p95 = _percentiles(ours)
            _, seen_p95 = _percentiles(by_tool[tool])
            print(
                f"{tool:12} {len(ours):5} calls   p50 {p50:5.0f} ms   p95 {p95:5.0f} ms "
                f"(allowed {allowed})   the caller's p95 {seen_p95:5.0f} ms"
            )
            failed |= p95 > allowed
    return 1 if failed else 0


def _percentiles(values: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=20)
    return cuts[9], cuts[18]


if __name__ == "__main__":
    sys.exit(main())
