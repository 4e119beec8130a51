"""GET /appointments?per_page=20: ours, every feature on, beside a plain stack on the same data.

    make bench, or  python -m tests.servers python -m tests.bench.appointment_list [--seconds N]

Both are served by gunicorn with two processes; wrk asks them in turns, so that what else the
machine does meets both. The plain stack (tests/bench/plain) has no envelope, no strict filters, no
ETag, no exact quota; its throttle is not atomic.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Sequence

import django

from tests.bench.serving import Load, gunicorn, wrk
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
        keys = _prepare(url)
        with (
            gunicorn(8411) as ours,
            gunicorn(8412, "tests.bench.plain.settings") as plain,
        ):
            for stack in (ours, plain):
                wrk(stack + PATH, keys, seconds=2)
            rounds = [
                (wrk(plain + PATH, keys, seconds=seconds), wrk(ours + PATH, keys, seconds=seconds))
                for _ in range(ROUNDS)
            ]
    _tell([one for one, _ in rounds], [one for _, one in rounds])


def _prepare(url: str) -> list[str]:
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


def _tell(plain: Sequence[Load], ours: Sequence[Load]) -> None:
    print(
        f"\nGET {PATH}, {BUSINESSES} businesses x {APPOINTMENTS:,} appointments; medians of {ROUNDS}"
    )
    print(f"{'':18}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}")
    for name, loads in (("plain stack", plain), ("KaiVox", ours)):
        figures = [
            statistics.median(getattr(one, part) for one in loads)
            for part in ("per_second", "p50", "p99")
        ]
        print(f"{name:18}{figures[0]:12.0f}{figures[1]:10.1f}{figures[2]:10.1f}")
    ratio = statistics.median(b.per_second / a.per_second for a, b in zip(plain, ours, strict=True))
    print(f"{'ratio':18}{ratio:12.2f}")


if __name__ == "__main__":
    main()
