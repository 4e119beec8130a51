"""Response times of GET /appointments/slots for a month of twenty people and 100,000 appointments.

    python -m tests.servers python -m tests.bench.slots_http

One client, one request after the other. Also one day, an empty day whose next free slot must be found,
and a month of a service that requires five kinds of resources, of each of which there are four. Each of
the appointments reserves one of these.
"""

from __future__ import annotations

import http.client
import json
import secrets
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

from tests.bench.clinic import BenchClinic, make_clinic
from tests.bench.serving import gunicorn
from tests.stack import empty_database

ALLOWED_MS = 30.0
ALLOWED_WITH_RESOURCES_MS = 40.0
KINDS = 5
ROUNDS = 150


def main() -> int:
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        clinic = make_clinic(
            url, people=20, appointments=100_000, hours=((540, 780), (840, 1080)), kinds=KINDS
        )
        with gunicorn(8421) as server:
            today = datetime.now(UTC).date()
            first, far = today + timedelta(days=1), today + timedelta(days=400)
            month = {"date_from": first, "date_to": first + timedelta(days=30)}
            p50 = _measure(server, clinic, "a month, 20 people", month)
            equipped = {"service_id": clinic.equipped_service_id, **month}
            p50_with_resources = _measure(server, clinic, f"with {KINDS} kinds", equipped)
            _measure(server, clinic, "a day, 20 people", {"date": first})
            _measure(server, clinic, "a day that is past", {"date": today - timedelta(days=2)})
            _measure(server, clinic, "beyond the horizon", {"date": far})
    print(
        f"allowed for the month: p50 {ALLOWED_MS:.0f} ms, with {KINDS} kinds of resources"
        f" {ALLOWED_WITH_RESOURCES_MS:.0f} ms"
    )
    is_allowed = p50 <= ALLOWED_MS and p50_with_resources <= ALLOWED_WITH_RESOURCES_MS
    return 0 if is_allowed else 1


def _measure(server: str, clinic: BenchClinic, name: str, days: dict[str, object]) -> float:
    path = f"/api/v1/appointments/slots?{urlencode({'service_id': clinic.service_id, **days})}"
    client = http.client.HTTPConnection(urlsplit(server).netloc)
    times, body = [], b""
    for _ in range(ROUNDS):
        began = time.perf_counter()
        client.request("GET", path, headers={"X-API-Key": clinic.key})
        response = client.getresponse()
        body = response.read()
        times.append((time.perf_counter() - began) * 1000)
        assert response.status == 200, body[:500]
    times.sort()
    total = json.loads(body)["meta"]["total"]
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(
        f"{name:22} {total:5} times {len(body) // 1000:5} kB   p50 {p50:6.1f}   p99 {p99:6.1f} ms"
    )
    return p50


if __name__ == "__main__":
    sys.exit(main())
