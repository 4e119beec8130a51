"""Throughput of lists with 1, 2 and 4 web processes, and of deliveries with 1, 2 and 4 workers.

    make bench ARGS=processes, or  python -m tests.servers python -m tests.bench.processes [--seconds N]

Counts take turns, so that other load of the machine affects all. Clients, receiver, PostgreSQL, Redis and
RabbitMQ share the machine's cores with what is measured, so on few cores more processes gain little.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from tests.bench import appointment_list, deliveries
from tests.bench.serving import gunicorn, wrk
from tests.stack import empty_database

COUNTS: Final = (1, 2, 4)
ROUNDS: Final = 3
EVENTS: Final = 4_000

Rounds = Sequence[Mapping[int, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6, help="of each round and count")
    seconds = parser.parse_args().seconds
    with empty_database(f"bench_{secrets.token_hex(4)}") as url, deliveries.sink() as port:
        deliveries.prepare(url)
        _tell("workers", "deliveries/s", _deliveries(port))
        _tell("web processes", "lists/s", _lists(url, seconds))


def _lists(url: str, seconds: int) -> Rounds:
    keys = appointment_list.prepare(url)
    with ExitStack() as stack:
        servers = {
            count: stack.enter_context(gunicorn(8410 + count, processes=count)) for count in COUNTS
        }
        for server in servers.values():
            wrk(server + appointment_list.PATH, keys, seconds=2)
        return [
            {
                count: wrk(server + appointment_list.PATH, keys, seconds=seconds).per_second
                for count, server in servers.items()
            }
            for _ in range(ROUNDS)
        ]


def _deliveries(port: int) -> Rounds:
    return [
        {
            count: deliveries.measure(
                port, EVENTS, deliveries.wake, "kaivox", "webhooks", count=count
            )
            for count in COUNTS
        }
        for _ in range(ROUNDS)
    ]


def _tell(what: str, unit: str, rounds: Rounds) -> None:
    print(f"\n{what:16}{unit:>16}{'to one':>10}   on {os.cpu_count()} cores", flush=True)
    for count in COUNTS:
        rate = statistics.median(one[count] for one in rounds)
        ratio = statistics.median(one[count] / one[1] for one in rounds)
        print(f"{count:<16}{rate:16,.0f}{ratio:10.2f}", flush=True)


if __name__ == "__main__":
    main()
