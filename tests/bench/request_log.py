"""Cost of the request log for GET /appointments?per_page=20.

    make bench ARGS="request_log", or  python -m tests.servers python -m tests.bench.request_log [--seconds N]

Two servers that differ in REQUEST_LOG_DAYS alone are loaded in turn. What counts is the CPU time of their
processes per request, which other load of the machine changes less than requests per second. Fails if
the log costs more than 3 %.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.appointment_list import APPOINTMENTS, BUSINESSES, PATH, prepare
from tests.bench.serving import gunicorn, wrk
from tests.stack import empty_database

ROUNDS = 12
MAX_PERCENT = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each round and server")
    seconds = parser.parse_args().seconds
    with empty_database(f"bench_{secrets.token_hex(4)}") as database:
        keys = prepare(database)
        with _server(8414, days=0) as off, _server(8415, days=7) as on:
            for url, _ in (off, on):
                wrk(url + PATH, keys, seconds=2)
            rounds = [
                [_cpu_per_request(*server, keys, seconds) for server in (off, on)]
                for _ in range(ROUNDS)
            ]
    without, with_log = (statistics.mean(one[at] for one in rounds) for at in (0, 1))
    percent = 100 * (with_log / without - 1)
    print(
        f"GET {PATH}, {BUSINESSES} businesses x {APPOINTMENTS:,} appointments: "
        f"{without:.3f} ms of CPU without the log, {with_log:.3f} ms with it, {percent:+.1f} % "
        f"(means of {ROUNDS} rounds)"
    )
    if percent > MAX_PERCENT:
        print(f"The request log costs more than {MAX_PERCENT:.0f} %.")
        return 1
    return 0


@contextmanager
def _server(port: int, *, days: int) -> Iterator[tuple[str, set[int]]]:
    """A server with this REQUEST_LOG_DAYS: its URL, and the ids of its processes."""
    os.environ["REQUEST_LOG_DAYS"] = str(days)
    before = _descendants()
    with gunicorn(port) as url:
        yield url, _descendants() - before
    os.environ.pop("REQUEST_LOG_DAYS", None)


def _cpu_per_request(url: str, processes: set[int], keys: list[str], seconds: int) -> float:
    """Milliseconds of CPU time of `processes` for one request."""
    before = sum(map(_cpu_seconds, processes))
    load = wrk(url + PATH, keys, seconds=seconds)
    used = sum(map(_cpu_seconds, processes)) - before
    return 1_000 * used / (load.per_second * seconds)


def _descendants() -> set[int]:
    """Processes started by this one, and by those."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    found: set[int] = set()
    level = {os.getpid()}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        found |= level
    return found


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
