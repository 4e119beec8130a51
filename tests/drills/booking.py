"""Drill of bookings: no double booking over HTTP under full load.

    make drill-booking                                   both profiles, at full size
    python -m tests.drills.booking --one [--divide N]    this environment's profile alone

First the control: without lock and constraint the same load must produce a double booking, or the drill
would prove nothing. Then 200 threads attempt the 12 seats of one class at once, 64 threads attempt one start time eight times each; then they book, move, cancel
and hold at random, with 50 overlapping start times of ten staff members. The same for a service without
staff, which is booked with tables alone: four that seat 2, 2, 4 and 6. The result is checked by SQL.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tests.drills.booking_checks import (
    crowded_tables,
    figures,
    number_of,
    overlaps,
    table_overlaps,
)
from tests.drills.rig import Rig, rig, wait_until
from tests.stack import free_port

THREADS, ATTEMPTS = 64, 8
PEOPLE, TIMES, ROUNDS = 10, 50, 40
PRODUCTION_VARIABLES = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
SEATS, WANTED = 12, 200
TABLES = (2, 2, 4, 6)
PATH = "/api/v1/appointments"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", action="store_true", help="only the profile of this environment")
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="an Nth of the size")
    options = parser.parse_args()
    if options.one:
        _drill(options.divide)
        return 0
    embedded = {name: text for name, text in os.environ.items() if name not in PRODUCTION_VARIABLES}
    again = [sys.executable, "-m", __spec__.name, "--one", "--divide", str(options.divide)]
    environments = [embedded] + [dict(os.environ)] * bool(os.environ.get("DATABASE_URL"))
    return max(subprocess.run(again, env=one, check=False).returncode for one in environments)


def _drill(divide: int) -> None:
    with rig(LOG_LEVEL="WARNING", WEB_PROCESSES="4", WEB_THREADS="8") as it:
        from django.db import connection

        print(f"==> {connection.vendor}", flush=True)
        clinic = make_clinic()
        with unguarded(it) as url:
            _control(clinic, url, THREADS // divide)
            _one_class(clinic, url, WANTED // divide, is_guarded=False)
            _tables_at_once(clinic, url, THREADS // divide, is_guarded=False)
        with web(it) as url:
            _one_time(clinic, url, THREADS // divide)
            _one_class(clinic, url, WANTED // divide)
            _many_times(clinic, url, THREADS // divide, ROUNDS // divide or 1)
            _tables_at_once(clinic, url, THREADS // divide)
            _many_tables(clinic, url, THREADS // divide, ROUNDS // divide or 1)
        complaints = [line for line in it.log.read_text().splitlines() if "locked" in line]
        assert not complaints, complaints[:3]


def _control(clinic: Clinic, url: str, threads: int) -> None:
    callers = Callers(clinic, url)
    callers.run([lambda one: one.book(clinic.people[0], clinic.start)] * threads, threads)
    doubled = overlaps()
    print(f"  control, no guards: {callers.summary()}; {doubled} pairs overlap")
    assert doubled > 0, "The control had no double booking: this drill cannot detect a race."
    _empty()


def _one_time(clinic: Clinic, url: str, threads: int) -> None:
    callers = Callers(clinic, url)
    jobs = threads * ATTEMPTS
    callers.run([lambda one: one.book(clinic.people[0], clinic.start)] * jobs, threads)
    print(f"  one time, {threads} x {ATTEMPTS}: {callers.summary()}")
    assert callers.statuses == {201: 1, 409: jobs - 1}
    assert overlaps() == 0
    _empty()


def _one_class(clinic: Clinic, url: str, threads: int, *, is_guarded: bool = True) -> None:
    """As many at once as there are threads, for a class of twelve; of an Nth, at least two per seat."""
    threads = max(threads, 2 * SEATS)
    callers = Callers(clinic, url)
    callers.run(
        [lambda one: one.book(clinic.people[0], clinic.start, clinic.class_id)] * threads, threads
    )
    booked = number_of("SELECT SUM(party_size) FROM appointments_appointment")
    control = "" if is_guarded else "control, no guards: "
    print(
        f"  {control}{SEATS} seats, {threads} at once: {callers.summary()}; {booked} seats booked"
    )
    if is_guarded:
        assert callers.statuses == {201: SEATS, 409: threads - SEATS}
        assert booked == SEATS
    else:
        assert booked > SEATS, "The control was not overbooked: this drill cannot detect a race."
    _empty()


def _many_times(clinic: Clinic, url: str, threads: int, rounds: int) -> None:
    callers = Callers(clinic, url)
    callers.run([Caller.act_at_random] * (threads * rounds), threads)
    booked, events = figures()
    print(f"  {PEOPLE} people, {TIMES} overlapping times: {callers.summary()}")
    print(f"    {booked} booked, {events} events of it, {overlaps()} pairs overlap")
    assert set(callers.statuses) <= {200, 201, 404, 409, 412}, callers.statuses
    assert overlaps() == 0
    assert booked == events == callers.statuses[201] - callers.held
    _check_counters()
    _empty()


def _tables_at_once(clinic: Clinic, url: str, threads: int, *, is_guarded: bool = True) -> None:
    """Parties of two get every table, parties of five the largest alone."""
    for party, tables in ((2, len(TABLES)), (5, 1)):
        callers = Callers(clinic, url)
        callers.run(
            [lambda one, party=party: one.book_table(party, clinic.start)] * threads, threads
        )
        doubled, control = table_overlaps(), "" if is_guarded else "control, no guards: "
        print(
            f"  {control}{tables} tables for {party}, {threads} at once: {callers.summary()};"
            f" {doubled} pairs overlap"
        )
        if is_guarded:
            assert callers.statuses == {201: tables, 409: threads - tables}
            assert (doubled, crowded_tables()) == (0, 0)
        else:
            assert doubled > 0, (
                "The control booked no table twice: this drill cannot detect a race."
            )
        _empty()


def _many_tables(clinic: Clinic, url: str, threads: int, rounds: int) -> None:
    callers = Callers(clinic, url)
    callers.run([Caller.act_at_a_table] * (threads * rounds), threads)
    booked, events = figures()
    print(f"  {len(TABLES)} tables, {TIMES} overlapping times: {callers.summary()}")
    print(f"    {booked} booked, {events} events of it, {table_overlaps()} pairs overlap")
    assert set(callers.statuses) <= {200, 201, 404, 409, 412}, callers.statuses
    assert (table_overlaps(), crowded_tables()) == (0, 0)
    assert booked == events == callers.statuses[201] - callers.held
    assert (
        number_of("SELECT COUNT(*) FROM appointments_appointment WHERE staff_id IS NOT NULL") == 0
    )
    _check_counters()


# --- Clients -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clinic:
    key: str
    service_id: int
    class_id: int
    table_id: int
    people: list[int]
    customers: list[int]
    start: datetime


@dataclass
class Callers:
    """Concurrent client threads with one connection each."""

    clinic: Clinic
    url: str
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    not_cancelled: list[int] = field(default_factory=list)
    held: int = 0
    took: float = 0.0

    def run(self, jobs: list[Callable[[Caller], None]], threads: int) -> None:
        barrier = threading.Barrier(threads)

        def work(number: int) -> None:
            caller = Caller(self, number)
            barrier.wait()
            for job in jobs[number::threads]:
                job(caller)
            caller.connection.close()

        began = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        self.took = time.monotonic() - began

    def summary(self) -> str:
        times = sorted(self.times)
        p50, p99 = (times[int(len(times) * part)] * 1000 for part in (0.5, 0.99))
        counts = ", ".join(
            f"{number} x {status}" for status, number in sorted(self.statuses.items())
        )
        return f"{counts} in {self.took:.1f} s (p50 {p50:.0f} ms, p99 {p99:.0f} ms)"


class Caller:
    def __init__(self, callers: Callers, number: int) -> None:
        self.all, self.clinic = callers, callers.clinic
        self.chance = random.Random(number)
        self.customer = self.clinic.customers[number % len(self.clinic.customers)]
        self.connection = http.client.HTTPConnection(urlsplit(callers.url).netloc, timeout=120)

    def book(self, staff: int | None, start: datetime, service: int | None = None) -> None:
        self._book({"service_id": service or self.clinic.service_id, "staff_id": staff}, start)

    def book_table(self, party: int, start: datetime) -> None:
        self._book({"service_id": self.clinic.table_id, "party_size": party}, start)

    def _book(self, values: dict[str, Any], start: datetime) -> None:
        body = values | {"customer_id": self.customer, "start_time": start.isoformat()}
        data = self.call("POST", PATH, body)
        if data:
            self.all.not_cancelled.append(data["id"])

    def act_at_random(self) -> None:
        start = self._a_start()
        staff = self.chance.choice([None, *self.clinic.people])
        move = {"staff_id": staff} if staff else {}
        self._act(lambda: self.book(staff, start), move, self.clinic.service_id, start)

    def act_at_a_table(self) -> None:
        start, party = self._a_start(), self.chance.randrange(1, 7)
        move = {"party_size": party}
        self._act(lambda: self.book_table(party, start), move, self.clinic.table_id, start)

    def _a_start(self) -> datetime:
        return self.clinic.start + timedelta(minutes=7 * self.chance.randrange(TIMES))

    def _act(
        self, book: Callable[[], None], move: dict[str, Any], service: int, start: datetime
    ) -> None:
        """Books, cancels, moves or holds, with the service and times of the caller."""
        act = self.chance.random()
        if act < 0.5 or not self.all.not_cancelled:
            book()
        elif act < 0.7:
            self.call("DELETE", f"{PATH}/{self.chance.choice(self.all.not_cancelled)}")
        elif act < 0.95:
            body = {"start_time": start.isoformat()} | move
            self.call("PATCH", f"{PATH}/{self.chance.choice(self.all.not_cancelled)}", body)
        else:
            body = {"service_id": service, "start_time": start.isoformat()}
            held = self.call("POST", f"{PATH}/holds", body | {"expires_in_seconds": 60})
            if held:
                self.all.held += 1
                self.call("DELETE", f"{PATH}/holds/{held['id']}")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """`data` of the response; None for an error."""
        headers = {"X-API-Key": self.clinic.key, "Content-Type": "application/json"}
        began = time.monotonic()
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        response = self.connection.getresponse()
        envelope = json.loads(response.read())
        self.all.times.append(time.monotonic() - began)
        self.all.statuses[response.status] += 1
        assert response.status < 500, envelope
        return envelope.get("data")


# --- Servers and rows ----------------------------------------------------------------------------


@contextmanager
def web(it: Rig) -> Any:
    port = free_port()
    process = it.web(port)

    def responds() -> bool:
        try:
            probe = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            probe.request("GET", "/healthz")
            return probe.getresponse().status == 200
        except OSError:
            return False

    wait_until(responds, seconds=60, what="the web server responds")
    yield f"http://127.0.0.1:{port}"
    process.stop()


@contextmanager
def unguarded(it: Rig) -> Any:
    """The same server without lock and constraint (tests/drills/unguarded.py)."""
    from appointments.models import (
        NO_OVERLAP,
        NO_RESOURCE_OVERLAP,
        Appointment,
        ResourceBooking,
    )
    from tests.drills.unguarded import constraint_dropped

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.drills.unguarded"
    try:
        with (
            constraint_dropped(Appointment, NO_OVERLAP),
            constraint_dropped(ResourceBooking, NO_RESOURCE_OVERLAP),
            web(it) as url,
        ):
            yield url
    finally:
        os.environ["DJANGO_SETTINGS_MODULE"] = "kaivox.settings"


def make_clinic() -> Clinic:
    from kaivox.businesses.operations import issue_api_key
    from ratelimits.models import QuotaOverride
    from tests import factories

    now = datetime.now(UTC)
    business = factories.make_business(timezone="UTC")
    QuotaOverride.objects.create(
        business=business, per_minute=10**7, per_day=10**7, ends_at=now + timedelta(days=1)
    )
    service = factories.make_service(business, buffer_after_minutes=5)
    group = factories.make_service(business, capacity=SEATS)
    people = [
        factories.make_staff(business, services=[service, group], hours=["00:00-24:00"]).pk
        for _ in range(PEOPLE)
    ]
    table = factories.make_service(
        business, needs_staff=False, resource_kinds=["table"], buffer_after_minutes=5
    )
    for seats in TABLES:
        factories.make_resource(business, capacity=seats)
    customers = [factories.make_customer(business).pk for _ in range(7)]
    key = issue_api_key(business_id=business.pk, name="drill", now=now).secret
    start = (now + timedelta(days=2)).replace(hour=9, minute=0, second=0, microsecond=0)
    return Clinic(key, service.pk, group.pk, table.pk, people, customers, start)


def _check_counters() -> None:
    """Compares every customer's counter with the rows."""
    from customers.models import Customer

    for customer in Customer.objects.all():
        counted = customer.appointments.exclude(status="cancelled").count()
        assert customer.total_appointments == counted, customer


def _empty() -> None:
    from appointments.models import Appointment
    from webhooks.models import Event

    Appointment.objects.all().delete()
    Event.objects.all().delete()


if __name__ == "__main__":
    sys.exit(main())
