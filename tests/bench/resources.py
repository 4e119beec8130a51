"""Memory of a web process over many requests, CPU of an idle embedded stack, and time that it takes to stop.

    make bench ARGS="resources"
    python -m tests.servers python -m tests.bench.resources [--requests N] [--seconds N]

Fails where the memory of a web process (RSS, after a warm-up) changes by more than 3 MB within 100,000
requests, where web, worker, beat and their supervisor use more than 2 % of a core at rest, or where the
median time from Ctrl-C to the end of `make up` is over 1.5 s. CPU is the CPU time of the processes, which
other load of the machine hardly changes; the time to stop is a wall clock's, so read it with the load average.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from tests.bench.serving import gunicorn, wrk
from tests.own_servers import free_port
from tests.stack import ROOT, empty_database

MAX_MEGABYTES: Final = 3.0
MAX_IDLE_PERCENT: Final = 2.0
MAX_STOP_SECONDS: Final = 1.5
REQUESTS: Final = 100_000
# The memory of a process is level after about 20,000 requests, when its caches and arenas are full.
_WARM_UP_REQUESTS: Final = 25_000
_ROUND_SECONDS: Final = 5
_STOPS: Final = 5
_START_SECONDS: Final = 120
_PATHS: Final = (
    "/api/v1/appointments?per_page=20",
    "/api/v1/customers?search=customer",
    "/api/v1/services",
    "/healthz",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, metavar="N")
    parser.add_argument("--seconds", type=int, default=30, metavar="N", help="of rest")
    options = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        percent, stops = embedded(Path(folder), options.seconds)
    median = statistics.median(stops)
    load = os.getloadavg()[0]
    print(f"At rest for {options.seconds} s: {percent:.2f} % of a core for the embedded stack")
    if percent > MAX_IDLE_PERCENT:
        failed.append(f"more than {MAX_IDLE_PERCENT:.0f} % of a core at rest")
    times = ", ".join(f"{one:.2f}" for one in stops)
    print(f"From Ctrl-C to the end: {times} s, median {median:.2f} s (load average {load:.1f})")
    if median > MAX_STOP_SECONDS:
        failed.append(f"more than {MAX_STOP_SECONDS} s to stop")
    change = web_memory(options.requests)
    if abs(change) > MAX_MEGABYTES:
        failed.append(f"memory of a web process changed by more than {MAX_MEGABYTES:.0f} MB")
    for one in failed:
        print(f"Failed: {one}.")
    return 1 if failed else 0


# --- The embedded stack --------------------------------------------------------------------------


def embedded(folder: Path, seconds: int) -> tuple[float, list[float]]:
    """Percent of a core that `manage.py up` uses at rest, and the seconds that it took to stop each time."""
    stops = []
    percent = 0.0
    for turn in range(_STOPS):
        with _up(folder) as process:
            if turn == 0:
                time.sleep(5)  # what starts is done
                processes = _tree(process.pid)
                before = _cpu_seconds(processes)
                time.sleep(seconds)
                percent = 100 * (_cpu_seconds(processes) - before) / seconds
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            stops.append(time.monotonic() - started)
    return percent, stops


@contextmanager
def _up(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running `manage.py up` with its data in `folder`, whose worker and beat have started."""
    production = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"), "")
    environment = {
        **os.environ,
        **production,
        "KAIVOX_VAR": str(folder / "var"),
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
    }
    log = folder / "log"
    started = time.time()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT, env=environment, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _wait_for_heartbeats(process, folder / "var" / "heartbeats", log, started)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)


def _wait_for_heartbeats(
    process: subprocess.Popen[bytes], heartbeats: Path, log: Path, started: float
) -> None:
    files = (heartbeats / "worker", heartbeats / "beat")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if all(one.exists() and one.stat().st_mtime > started for one in files):
            return
        time.sleep(0.1)
    sys.exit(f"make up does not start:\n{log.read_text()[-3000:]}")


def _tree(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [one.cpu_times() for one in processes]
    return sum(one.user + one.system for one in times)


# --- Web processes -------------------------------------------------------------------------------


def web_memory(requests: int) -> float:
    """Sends requests to two web processes; the largest change of the memory of one of them, in MB."""
    with empty_database(f"bench_{secrets.token_hex(4)}") as database:
        from tests.bench.appointment_list import prepare

        keys = prepare(database)
        with gunicorn(free_port()) as url:
            _send(url, keys, _WARM_UP_REQUESTS)
            processes = _web_processes()
            before = {one.pid: _megabytes(one) for one in processes}
            sent = _send(url, keys, requests)
            after = {one.pid: _megabytes(one) for one in processes}
    changes = {pid: after[pid] - before[pid] for pid in before}
    for pid, change in changes.items():
        print(
            f"Web process after {sent:,} requests: {before[pid]:.1f} MB -> {after[pid]:.1f} MB, "
            f"{change:+.1f} MB"
        )
    return max(changes.values(), key=abs)


def _send(url: str, keys: Sequence[str], count: int) -> int:
    """Sends at least `count` requests, and some to each path, in turn; returns how many."""
    sent, turn = 0, 0
    while sent < count or turn < len(_PATHS):
        load = wrk(url + _PATHS[turn % len(_PATHS)], keys, seconds=_ROUND_SECONDS)
        sent += round(load.per_second * _ROUND_SECONDS)
        turn += 1
    return sent


def _web_processes() -> list[psutil.Process]:
    """gunicorn's processes that serve requests: the children of its master."""
    (master,) = psutil.Process().children()
    return master.children()


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


if __name__ == "__main__":
    sys.exit(main())
