"""Many at once. First a negative control: without lock and constraint the same load does book one
time twice; otherwise these tests would prove nothing."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from appointments import holds, operations, places
from appointments.models import NO_OVERLAP, Appointment
from kaivox.api.prepared import Prepared
from kaivox.errors import DomainError
from staff.models import StaffMember, StaffQuerySet
from tests import factories
from tests.appointments.conftest import overlaps

START = datetime(2030, 3, 4, 10, tzinfo=UTC)
NOW = datetime(2030, 3, 4, tzinfo=UTC)


def at_once(jobs, threads: int = 8) -> Counter:
    """Runs all jobs from `threads` threads that begin together; counts how they ended."""
    barrier = threading.Barrier(threads)
    mine = [jobs[number::threads] for number in range(threads)]

    def run(some) -> list[str]:
        barrier.wait()
        try:
            return [outcome(job) for job in some]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return Counter(ended for part in pool.map(run, mine) for ended in part)


def outcome(job) -> str:
    try:
        job()
    except DomainError as refusal:
        return refusal.code
    return "done"


@pytest.fixture
def clinic(transactional_db):
    business = factories.make_business(timezone="UTC")
    service = factories.make_service(business)
    people = [factories.make_staff(business, services=[service]) for _ in range(4)]
    customers = [factories.make_customer(business) for _ in range(4)]
    return business, service, people, customers


def booking(clinic, number: int, staff=None, start: datetime = START):
    business, service, _, customers = clinic

    def book() -> None:
        operations.book_appointment(
            business=business,
            customer=customers[number % len(customers)],
            service=service,
            staff=staff,
            start=start,
            now=NOW,
        )

    return book


@contextmanager
def without_guards(monkeypatch, threads: int):
    """Neither lock nor constraint; and everyone has read before anyone writes."""
    together = threading.Barrier(threads)
    check = places._refuse_by_rules

    def check_and_wait(wish, staff) -> None:
        check(wish, staff)
        together.wait(timeout=20)

    with monkeypatch.context() as patch, unconstrained():
        take_the_lock_away(patch)
        if connection.vendor == "sqlite":  # where a transaction alone is a lock
            patch.setattr(places, "write_transaction", lambda **how: nullcontext())
        patch.setattr(places, "_refuse_by_rules", check_and_wait)
        yield


def take_the_lock_away(patch) -> None:
    patch.setattr(StaffQuerySet, "locked", lambda rows, **how: rows)
    patch.setattr(places, "_LOCKED", Prepared(places._locked))  # compiled anew


@contextmanager
def unconstrained():
    """Without `NoOverlap`; all appointments are gone afterwards, as they could not stand."""
    with connection.schema_editor() as editor:
        if connection.vendor == "postgresql":
            back = [NO_OVERLAP.create_sql(Appointment, editor)]
            editor.execute(NO_OVERLAP.remove_sql(Appointment, editor))
        else:
            back = NO_OVERLAP._triggers(Appointment, editor)
            for event in ("insert", "update"):
                editor.execute(f"DROP TRIGGER {NO_OVERLAP.name}_{event}")
    try:
        yield
    finally:
        Appointment.objects.all().delete()
        with connection.schema_editor() as editor:
            for statement in back:
                editor.execute(statement)


class TestNegativeControl:
    def test_without_lock_and_constraint_one_time_is_booked_again_and_again(
        self, clinic, monkeypatch
    ):
        staff = clinic[2][0]
        with without_guards(monkeypatch, threads=4):
            ended = at_once([booking(clinic, number, staff) for number in range(4)], threads=4)
            assert ended == {"done": 4}
            assert overlaps() == 6

    def test_the_constraint_alone_lets_one_through(self, clinic, monkeypatch):
        staff = clinic[2][0]
        take_the_lock_away(monkeypatch)
        monkeypatch.setattr(places, "_refuse_by_rules", lambda wish, staff: None)
        monkeypatch.setattr(places, "_refuse_if_taken", lambda wish, staff: None)
        ended = at_once([booking(clinic, number, staff) for number in range(4)], threads=2)
        assert ended["done"] == 1
        assert overlaps() == 0


class TestOneTime:
    def test_is_booked_once(self, clinic):
        staff = clinic[2][0]
        ended = at_once([booking(clinic, number, staff) for number in range(64)])
        assert ended == {"done": 1, "slot_unavailable": 63}
        assert overlaps() == 0

    def test_is_booked_once_each_while_anyone_is_free(self, clinic):
        ended = at_once([booking(clinic, number) for number in range(32)])
        assert ended == {"done": 4, "slot_unavailable": 28}
        assert Appointment.objects.values("staff").distinct().count() == 4
        assert overlaps() == 0

    @pytest.mark.skipif(settings.EMBEDDED, reason="SQLite locks no rows")
    def test_waits_for_nobody_while_another_one_is_free(self, clinic):
        first, second = clinic[2][:2]
        locked, booked = threading.Event(), threading.Event()

        def hold_the_lock() -> None:
            with transaction.atomic():
                StaffMember.objects.locked().get(pk=first.pk)
                locked.set()
                assert booked.wait(timeout=20)
            connection.close()

        with ThreadPoolExecutor(1) as pool:
            holding = pool.submit(hold_the_lock)
            assert locked.wait(timeout=20)
            assert outcome(booking(clinic, 0)) == "done"
            booked.set()
            holding.result()
        assert Appointment.objects.get().staff == second

    def test_is_held_or_booked_but_not_both(self, clinic):
        business, service, people, _ = clinic

        def hold() -> None:
            holds.hold_time(
                business=business,
                service=service,
                staff=people[0],
                start=START,
                lasts=timedelta(minutes=5),
                now=NOW,
            )

        jobs = [hold if number % 2 else booking(clinic, number, people[0]) for number in range(32)]
        assert at_once(jobs) == {"done": 1, "slot_unavailable": 31}


class TestOneCustomer:
    def test_is_counted_right(self, clinic):
        for customer in clinic[3][1:]:
            customer.delete()
        clinic = (*clinic[:3], clinic[3][:1])
        jobs = [
            booking(clinic, 0, clinic[2][number % 4], START + timedelta(hours=number // 4))
            for number in range(16)
        ]
        assert at_once(jobs) == {"done": 16}
        clinic[3][0].refresh_from_db()
        assert clinic[3][0].total_appointments == 16
