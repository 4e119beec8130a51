"""Throughput of GET /appointments?per_page=20, beside two other stacks on the same data.

    make bench, or  python -m tests.servers python -m tests.bench.appointment_list [--seconds N]

Each is served by two processes; wrk loads them in turn, so that other load of the machine affects all.
The plain stack (tests/bench/plain) is Django REST framework without envelope, strict filters, ETag or
exact quota; its throttle is not atomic. The other is FastAPI with a raw psycopg pool on uvloop
(tests/bench/fastapi_stack): it looks up the key, charges the same quota by the same script, and sends
the same rows in the same envelope.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

import django
import requests

from tests.bench.serving import Load, gunicorn, uvicorn, wrk
from tests.stack import ROOT, empty_database

BUSINESSES = 10
APPOINTMENTS = 10_000
ROUNDS = 5
PATH = "/api/v1/appointments?per_page=20"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="of each round and stack")
    seconds = parser.parse_args().seconds
    with empty_database(f"bench_{secrets.token_hex(4)}") as url:
        keys = prepare(url)
        with (
            gunicorn(8411) as ours,
            gunicorn(8412, "tests.bench.plain.settings") as plain,
            uvicorn(8413, "tests.bench.fastapi_stack.app:app") as fastapi,
        ):
            stacks = {"plain DRF": plain, "FastAPI, raw SQL": fastapi, "KaiVox": ours}
            _check_same_rows(fastapi, ours, keys[0])
            for url in stacks.values():
                wrk(url + PATH, keys, seconds=2)
            rounds = [
                {name: wrk(url + PATH, keys, seconds=seconds) for name, url in stacks.items()}
                for _ in range(ROUNDS)
            ]
    _tell(rounds)


def _check_same_rows(theirs: str, ours: str, key: str) -> None:
    """Raises SystemExit unless the stacks send the same rows: else it would compare nothing."""
    shown = [
        requests.get(url + PATH, headers={"X-API-Key": key}, timeout=10).json()
        for url in (theirs, ours)
    ]
    assert shown[0]["data"] == shown[1]["data"]
    assert shown[0]["meta"]["total"] == shown[1]["meta"]["total"]


def prepare(url: str) -> list[str]:
    """Migrates and fills the database at `url`, and returns the keys of its businesses."""
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    django.setup()
    from django.db import connection

    from tests.bench.data import make_businesses

    keys = [one.key for one in make_businesses(BUSINESSES, APPOINTMENTS)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()
    return keys


def _tell(rounds: Sequence[Mapping[str, Load]]) -> None:
    print(
        f"\nGET {PATH}, {BUSINESSES} businesses x {APPOINTMENTS:,} appointments; medians of {ROUNDS}"
    )
    print(f"{'':18}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'ours to it':>12}")
    for name in rounds[0]:
        figures = [
            statistics.median(getattr(one[name], part) for one in rounds)
            for part in ("per_second", "p50", "p99")
        ]
        ratio = statistics.median(one["KaiVox"].per_second / one[name].per_second for one in rounds)
        print(f"{name:18}{figures[0]:12.0f}{figures[1]:10.1f}{figures[2]:10.1f}{ratio:12.2f}")


if __name__ == "__main__":
    main()
