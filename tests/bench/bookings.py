"""Throughput of POST /appointments: confirmed bookings a second, each with its event.

    python -m tests.servers python -m tests.bench.bookings

gunicorn with two processes on PostgreSQL; sixteen callers book different times of twenty people, by
name, also with a resource of one kind, and with any free member. Every response must be a 201 and have
recorded its event.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psycopg

from tests.bench.clinic import BenchClinic, make_clinic
from tests.bench.serving import gunicorn
from tests.stack import empty_database

ALLOWED = 150
ALLOWED_RATIO = 0.8  # with a resource to without
PEOPLE = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    seconds = parser.parse_args().seconds
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        clinic = make_clinic(url, people=PEOPLE, appointments=20_000, hours=((0, 1440),), kinds=1)
        assert clinic.equipped_service_id is not None
        equipped = replace(clinic, service_id=clinic.equipped_service_id)
        with gunicorn(8431) as server:
            _book(server, clinic, by_name=True, first_day=100, seconds=2)
            _book(server, equipped, by_name=True, first_day=110, seconds=2)
            named = _measure(server, clinic, url, "by name", True, 120, seconds)
            with_kind = _measure(server, equipped, url, "with a resource", True, 180, seconds)
            _measure(server, clinic, url, "any free member", False, 240, seconds)
    ratio = with_kind / named
    print(f"with a resource to by name: {ratio:.2f}")
    print(f"allowed, by name: {ALLOWED}/s; with a resource to by name: {ALLOWED_RATIO}")
    return 0 if named >= ALLOWED and ratio >= ALLOWED_RATIO else 1


def _measure(
    server: str,
    clinic: BenchClinic,
    database: str,
    name: str,
    by_name: bool,
    first_day: int,
    seconds: int,
) -> float:
    before = _events(database)
    booked, took, p50, p99 = _book(
        server, clinic, by_name=by_name, first_day=first_day, seconds=seconds
    )
    events = _events(database) - before
    assert events >= booked, f"{booked} bookings, {events} events"
    rate = booked / took
    print(
        f"{name:18} {rate:7.0f} bookings/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {events} events"
    )
    return rate


def _book(
    server: str, clinic: BenchClinic, *, by_name: bool, first_day: int, seconds: int
) -> tuple[int, float, float, float]:
    """(bookings, seconds, p50, p99). Raises SystemExit where a response is not a 201."""
    if shutil.which("wrk") is None:
        sys.exit("make bench needs wrk: sudo apt install wrk.")
    script = (
        _SCRIPT.replace("KEY", clinic.key)
        .replace("STAFF", ", ".join(map(str, clinic.staff_ids)) if by_name else "")
        .replace("PEOPLE", str(PEOPLE))
        .replace("CUSTOMERS", ", ".join(map(str, clinic.customer_ids)))
        .replace("SERVICE", str(clinic.service_id))
        .replace("FIRST_DAY", str(first_day))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.lua"
        path.write_text(script)
        done = subprocess.run(
            ["wrk", "-t1", "-c16", "--timeout", "20s", f"-d{seconds}s", "-s", str(path), server],
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith("BENCH"))
    booked, took, p50, p99, failed = line.split()[1:]
    if int(failed):
        sys.exit(f"Not every response was a 201:\n{done.stdout}")
    return int(booked), float(took), float(p50), float(p99)


# Each request books a slot of its own, 36 minutes apart so that buffers fit between.
_SCRIPT = """
local staff, customers = {STAFF}, {CUSTOMERS}
local first = (math.floor(os.time() / 86400) + FIRST_DAY) * 86400
local n = -1
wrk.method = "POST"
function request()
  n = n + 1
  local start = os.date("!%Y-%m-%dT%H:%M:%SZ", first + math.floor(n / PEOPLE) * 36 * 60)
  local who = #staff > 0 and string.format('"staff_id": %d, ', staff[n % #staff + 1]) or ""
  local body = string.format('{"customer_id": %d, "service_id": SERVICE, %s"start_time": "%s"}',
    customers[n % #customers + 1], who, start)
  return wrk.format(nil, "/api/v1/appointments",
    {["X-API-Key"] = "KEY", ["Content-Type"] = "application/json"}, body)
end
function response(status)
  if status ~= 201 then print("rejected: " .. status) end
end
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.timeout
  print(string.format("BENCH %d %.3f %.2f %.2f %d", summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
"""


def _events(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT COUNT(*) FROM webhooks_event").fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    sys.exit(main())
