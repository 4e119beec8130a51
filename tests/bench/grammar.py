"""Costs of list features on a million rows: cursors, totals, whole lists; and what a 304 saves.

    make bench ARGS=grammar, or  python -m tests.servers python -m tests.bench.grammar [--rows N]

Rows are inserted by SQL: to measure reading, the operations need not run.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
import requests

from tests.bench.serving import gunicorn, wrk
from tests.stack import ROOT, empty_database

PATH = "/api/v1/appointments"
TRIES = 15

_FILL = """
ALTER TABLE appointments_appointment DROP CONSTRAINT appointment_no_overlap;
INSERT INTO appointments_appointment (business_id, created_at, updated_at, start_time, end_time,
  busy_start, busy_end, duration_minutes, price, currency, status, source, notes,
  cancellation_reason, metadata, customer_id, service_id, staff_id)
SELECT {business}, at, at, at, at + interval '5 minutes', at, at + interval '5 minutes', 5, 500,
  'INR', (ARRAY['completed', 'cancelled', 'no_show', 'scheduled'])[1 + n % 4], 'bench', '', '',
  '{{"crm_id": "C-1042"}}',
  (SELECT array_agg(id ORDER BY id) FROM customers_customer)[1 + n % 500],
  (SELECT array_agg(id ORDER BY id) FROM services_service)[1 + n % 10],
  (SELECT array_agg(id ORDER BY id) FROM staff_staffmember)[1 + n % 5]
FROM (SELECT n, now() - n * interval '26 seconds' AS at FROM generate_series(1, {rows}) AS n) AS row
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        key = _prepare(url, rows)
        far = _cursor_at(rows // 2)
        with gunicorn(8421) as base:
            session = requests.Session()
            session.headers["X-API-Key"] = key
            get = _getter(session, base)
            print(f"\n{rows:,} appointments of one business, one client, medians of {TRIES}")
            _tell_pages(get, far)
            _tell_whole(session, base, rows)
            _tell_304(base, get, key)


def _prepare(url: str, rows: int) -> str:
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    django.setup()
    from django.db import connection

    from tests.bench.data import make_businesses

    (made,) = make_businesses(1, 0)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(_FILL.format(business=made.business.pk, rows=rows))
        cursor.execute("VACUUM ANALYZE appointments_appointment")
    return str(made.key)


def _cursor_at(number: int) -> str:
    """The cursor of a client that has read `number` rows."""
    from appointments.models import Appointment
    from kaivox.api.ordering import KeysetOrdering, cursor_of

    order = KeysetOrdering.parse("start_time", Appointment)
    return cursor_of(order.apply(Appointment.objects.all())[number - 1], order)


Get = Callable[..., tuple[float, requests.Response]]


def _getter(session: requests.Session, base: str) -> Get:
    def get(query: str, path: str = PATH) -> tuple[float, requests.Response]:
        """The median in milliseconds, and the last response."""
        times = []
        for _ in range(TRIES):
            begun = time.perf_counter()
            response = session.get(f"{base}{path}{query}")
            times.append((time.perf_counter() - begun) * 1000)
            response.raise_for_status()
        return statistics.median(times), response

    return get


def _tell_pages(get: Get, far: str) -> None:
    first, _ = get("?per_page=100&cursor=")
    deep, _ = get(f"?per_page=100&cursor={far}")
    print(f"{'page 1 by cursor':34}{first:10.1f} ms")
    print(f"{'page 5,000 by cursor':34}{deep:10.1f} ms{deep / first:9.2f} x  (at most 1.3)")
    for name, query in (
        ("total of all", "?per_page=20"),
        ("total of one status", "?per_page=20&status=completed"),
        ("total of one service", "?per_page=20&service_id=1"),
        ("total of half the time", "?per_page=20&date_to=2026-06-30"),
    ):
        took, response = get(query)
        print(f"{name:34}{took:10.1f} ms  (at most 100; {response.json()['meta']['total']:,})")


def _tell_whole(session: requests.Session, base: str, rows: int) -> None:
    before = _most_memory()
    for form in ("ndjson", "csv"):
        begun, lines = time.perf_counter(), 0
        with session.get(f"{base}{PATH}?format={form}", stream=True) as response:
            for piece in response.iter_content(256 * 1024):
                lines += piece.count(b"\n")
        took = time.perf_counter() - begun
        assert lines - (form == "csv") == rows, f"{lines:,} lines"
        print(f"{form + ', rows a second':34}{rows / took:10,.0f}     (at least 15,000)")
    after = _most_memory()
    print(
        f"{'memory that it takes':34}{after - before:10.0f} MB  (of {after:.0f} in all; at most 100)"
    )


def _most_memory() -> float:
    """The largest resident set of any of our web processes so far."""
    peaks = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = (status.parent / "cmdline").read_bytes()
            if (
                b"gunicorn" in command
                and f"{8421}".encode() in (status.parent / "environ").read_bytes()
            ):
                line = next(text for text in status.read_text().splitlines() if "VmHWM" in text)
                peaks.append(int(line.split()[1]) / 1024)
        except (OSError, StopIteration):
            continue
    return max(peaks, default=0.0)


def _tell_304(base: str, get: Get, key: str) -> None:
    _, listed = get("?per_page=20&cursor=")
    one = f"{PATH}/{listed.json()['data'][0]['id']}"
    for name, path, bound in (
        ("list", f"{PATH}?per_page=20", ""),
        ("poll", f"{PATH}?per_page=100&ordering=-updated_at", "  (at least 3)"),
        ("row", one, ""),
    ):
        tag = get("", path)[1].headers["ETag"].replace('"', '\\"')
        full, unchanged = (
            wrk(base + path, [key], seconds=5, headers=headers)
            for headers in ({}, {"If-None-Match": tag})
        )
        ratio = unchanged.per_second / full.per_second
        print(f"{'200 of a ' + name:34}{full.per_second:10.0f} /s")
        print(f"{'304 of a ' + name:34}{unchanged.per_second:10.0f} /s,{ratio:6.2f} x{bound}")


if __name__ == "__main__":
    main()
