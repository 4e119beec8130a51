"""Drill of the whole production stack: what an operator must expect to fail, under traffic.

    make drill-production                                           every scenario
    python -m tests.drills.production [--only NAME …] [--divide N]  some of them, or N times shorter

nginx as shipped, two gunicorns, two workers, two beats, and a PostgreSQL, a Redis and a RabbitMQ of its own.
Four clients book through nginx; a receiver gets the webhooks. What is killed is started again after a second,
as systemd does. After each scenario the database and the receiver are compared with the responses:

    attempted  requests; a failed one is sent again with its Idempotency-Key, as documented
    lost       acknowledged bookings that do not exist, and events that did not reach the receiver
    doubled    bookings that exist twice, and appointments that overlap
    5xx, cut   responses with such a status, and connections without a response
    pause      the longest time in which no request of any client succeeded
    recovered  seconds from the end of the disturbance until a request succeeded and a sweep had run
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from tests.drills.production_scenarios import SCENARIOS, Scenario
from tests.drills.production_stack import Production, Skipped, production
from tests.drills.rig import wait_until
from tests.drills.traffic import Traffic
from tests.nginx import PROGRAM as NGINX

# Every recovery of a part takes less, on a machine with other load too.
RECOVERY_SECONDS: Final = 60


@dataclass(frozen=True)
class Figures:
    """The measurements of one scenario."""

    attempted: int
    booked: int
    lost: int
    doubled: int
    statuses: Counter[int]
    pause: float
    recovered: float
    again: int

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def row(self, name: str) -> str:
        cut = self.statuses[0]
        return (
            f"{name:<18}{self.attempted:>10,}{self.booked:>8,}{self.lost:>6}{self.doubled:>9}"
            f"{self.errors:>6}{cut:>6}{self.pause:>8.1f}{self.recovered:>11.1f}{self.again:>8}"
        )


HEADER: Final = (
    f"{'scenario':<18}{'attempted':>10}{'booked':>8}{'lost':>6}{'doubled':>9}{'5xx':>6}{'cut':>6}"
    f"{'pause':>8}{'recovered':>11}{'resent':>8}"
)


def run(it: Production, scenario: Scenario, first: int) -> tuple[Figures, int]:
    """Measures `scenario`; also the number of the next free time. Raises Skipped, AssertionError."""
    received = len(it.receiver.requests)
    traffic = Traffic(it.clinic, it.nginx, scenario.name, first)
    try:
        it.wait(4)
        scenario.disturb(it)
        ended, instant = time.monotonic(), time.time()
        wait_until(
            lambda: any(one.at > ended and 200 <= one.status < 300 for one in list(traffic.sent)),
            seconds=RECOVERY_SECONDS,
            what=f"{scenario.name}: requests succeed again",
        )
        wait_until(
            lambda: it.rig.tasks.sweeps_since(instant) > 0,
            seconds=RECOVERY_SECONDS,
            what=f"{scenario.name}: sweeps run again",
        )
        recovered = time.monotonic() - ended
        it.wait(4)
    finally:
        traffic.end()
    assert not traffic.given_up, f"bookings that never succeeded: {traffic.given_up[:3]}"
    wait_until(_nothing_is_due, seconds=120, what=f"{scenario.name}: every event was sent")
    counts = Counter(one.headers["webhook-id"] for one in it.receiver.requests[received:])
    lost, doubled = _compare(traffic, scenario.name, set(counts))
    figures = Figures(
        attempted=len(traffic.sent),
        booked=len(traffic.booked),
        lost=lost,
        doubled=doubled,
        statuses=traffic.statuses,
        pause=traffic.longest_pause,
        recovered=recovered,
        again=sum(count - 1 for count in counts.values()),
    )
    return figures, traffic.next


def _nothing_is_due() -> bool:
    from django.db import connection

    from webhooks.models import Delivery

    connection.close()  # of a server that was killed meanwhile
    return not Delivery.objects.filter(status__in=("pending", "in_flight")).exists()


def _compare(traffic: Traffic, name: str, received: set[str]) -> tuple[int, int]:
    """How many bookings and events of `traffic` are lost, and how many exist twice."""
    from django.db import connection

    from appointments.models import Appointment
    from tests.drills.booking_checks import overlaps
    from webhooks.models import Event

    connection.close()
    rows = Appointment.objects.filter(metadata__drill__startswith=f"{name}-")
    stored = Counter(rows.values_list("metadata__drill", flat=True))
    ids = {row.pk: row.metadata["drill"] for row in rows}
    events = Event.objects.filter(type="appointment.booked", object_id__in=ids)
    of_event = dict(events.values_list("uid", "object_id"))
    lost = sum(ids.get(pk) != key for key, pk in traffic.booked.items())
    lost += len(set(ids) - set(of_event.values()))
    lost += len(set(of_event) - received)
    doubled = sum(count - 1 for count in stored.values())
    return lost, doubled + overlaps()


def check(scenario: Scenario, figures: Figures) -> None:
    """Raises AssertionError where a guarantee does not hold."""
    assert figures.lost == 0, f"{scenario.name}: {figures.lost} lost"
    assert figures.doubled == 0, f"{scenario.name}: {figures.doubled} doubled"
    assert figures.statuses[500] == 0, f"{scenario.name}: responses with status 500"
    if not scenario.may_fail:
        failed = figures.errors + figures.statuses[0]
        assert failed == 0, f"{scenario.name}: {failed} requests failed: {dict(figures.statuses)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", choices=names, action="append")
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="N times shorter")
    options = parser.parse_args()
    if NGINX is None:
        sys.exit("The drill needs nginx: apt install nginx-light.")
    problems = []
    with production(options.divide) as it:
        print(HEADER, flush=True)
        first = 0
        for scenario in SCENARIOS:
            if options.only and scenario.name not in options.only:
                continue
            try:
                figures, first = run(it, scenario, first)
            except Skipped as reason:
                print(f"{scenario.name:<18}skipped: {reason}", flush=True)
                continue
            print(figures.row(scenario.name), flush=True)
            try:
                check(scenario, figures)
            except AssertionError as problem:
                problems.append(str(problem))
        print(*(line for line in problems), sep="\n", flush=True)
        if problems:
            print(it.rig.log.read_text(errors="replace")[-4000:], flush=True)
    if problems:
        sys.exit(1)
    print("All guarantees hold.")


if __name__ == "__main__":
    main()
