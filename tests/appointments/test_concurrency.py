"""Parallel bookings, holds and moves of one time or one appointment."""

from __future__ import annotations

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from appointments import holds, operations
from appointments.models import NO_OVERLAP, Appointment, ResourceBooking
from appointments.staff_out.operations import take_staff_out
from kaivox.errors import DomainError
from staff.models import StaffMember
from staff.operations import update_staff
from tests import factories
from tests.appointments.conftest import overlaps
from tests.appointments.faults import INSERT_APPOINTMENT

START = datetime(2030, 3, 4, 10, tzinfo=UTC)
NOW = datetime(2030, 3, 4, tzinfo=UTC)


def at_once(jobs, threads: int = 8, around=nullcontext) -> Counter:
    """Runs the jobs in `threads` threads that start together, each within `around()`; counts the
    error codes, "done" for a job without an error."""
    barrier = threading.Barrier(threads)
    shares = [jobs[number::threads] for number in range(threads)]

    def run(share) -> list[str]:
        barrier.wait()
        try:
            with around():
                return [outcome(job) for job in share]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return Counter(code for codes in pool.map(run, shares) for code in codes)


def outcome(job) -> str:
    try:
        job()
    except DomainError as error:
        return error.code
    return "done"


@pytest.fixture
def clinic(transactional_db):
    business = factories.make_business(timezone="UTC")
    service = factories.make_service(business)
    people = [factories.make_staff(business, services=[service]) for _ in range(4)]
    customers = [factories.make_customer(business) for _ in range(4)]
    return business, service, people, customers


def booking(clinic, number: int, staff=None, start: datetime = START, **more):
    business, service, _, customers = clinic

    def book() -> None:
        operations.book_appointment(
            business=business,
            customer=customers[number % len(customers)],
            service=service,
            staff=staff,
            start=start,
            now=NOW,
            **more,
        )

    return book


_LOCKS = re.compile(
    r' FOR NO KEY UPDATE OF "(staff_staffmember|resources_resource)"( SKIP LOCKED)?'
)
_TRANSACTION = ("BEGIN", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


def without_lock(threads: int):
    """A context for `at_once`: no lock of the member of staff, and no thread writes its appointment
    before all have checked the rules. SQLite, which locks with its transactions, has none."""
    all_checked = threading.Barrier(threads)
    is_sqlite = connection.vendor == "sqlite"

    def intercept(execute, sql, params, many, context):
        if is_sqlite and sql.startswith(_TRANSACTION):
            return None
        if sql.startswith(INSERT_APPOINTMENT):
            all_checked.wait(timeout=20)
        return execute(_LOCKS.sub("", sql), params, many, context)

    @contextmanager
    def around():
        # Within an outer transaction SQLite's write lock is not acquired.
        outer = transaction.atomic() if is_sqlite else nullcontext()
        with connection.execute_wrapper(intercept), outer:
            yield

    return around


@contextmanager
def unconstrained():
    """Without NO_OVERLAP. Deletes all appointments at the end: they would violate it."""
    with connection.schema_editor() as editor:
        if connection.vendor == "postgresql":
            statements = [NO_OVERLAP.create_sql(Appointment, editor)]
            editor.execute(NO_OVERLAP.remove_sql(Appointment, editor))
        else:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s",
                    [f"{NO_OVERLAP.name}%"],
                )
                triggers = dict(cursor.fetchall())
            assert len(triggers) == 2
            statements = list(triggers.values())
            for name in triggers:
                editor.execute(f"DROP TRIGGER {name}")
    try:
        yield
    finally:
        Appointment.objects.all().delete()
        with connection.schema_editor() as editor:
            for statement in statements:
                editor.execute(statement)


class TestNegativeControl:
    """The same load without a guard does what the guards prevent, so the tests below can fail."""

    def test_without_lock_and_constraint_one_time_is_booked_four_times(self, clinic):
        staff = clinic[2][0]
        jobs = [booking(clinic, number, staff) for number in range(4)]
        with unconstrained():
            assert at_once(jobs, threads=4, around=without_lock(4)) == {"done": 4}
            assert overlaps() == 6

    def test_without_the_lock_a_class_is_overbooked(self, clinic):
        clinic[1].capacity = 2
        clinic[1].save()
        jobs = [booking(clinic, number, clinic[2][0]) for number in range(4)]
        assert at_once(jobs, threads=4, around=without_lock(4)) == {"done": 4}

    def test_without_the_lock_the_constraint_admits_one(self, clinic):
        staff = clinic[2][0]
        jobs = [booking(clinic, number, staff) for number in range(4)]
        ended = at_once(jobs, threads=4, around=without_lock(4))
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
    def test_is_booked_with_another_person_while_one_is_locked(self, clinic):
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
            holds.place_hold(
                business=business,
                service=service,
                staff=people[0],
                start=START,
                lasts=timedelta(minutes=5),
                now=NOW,
            )

        jobs = [hold if number % 2 else booking(clinic, number, people[0]) for number in range(32)]
        assert at_once(jobs) == {"done": 1, "slot_unavailable": 31}


class TestOneClass:
    @pytest.mark.parametrize("chosen", (True, False))
    def test_is_never_overbooked(self, clinic, chosen):
        clinic[1].capacity = 12
        clinic[1].save()
        people = clinic[2][:1]
        for other in clinic[2][1:]:
            other.services.clear()
        staff = people[0] if chosen else None
        ended = at_once([booking(clinic, number, staff) for number in range(48)])
        assert ended == {"done": 12, "slot_unavailable": 36}


class TestResources:
    def test_are_booked_once_each(self, clinic):
        clinic[1].resource_kinds = ["table"]
        clinic[1].save()
        for _ in range(3):
            factories.make_resource(clinic[0])
        ended = at_once([booking(clinic, number) for number in range(24)])
        assert ended == {"done": 3, "slot_unavailable": 21}
        assert ResourceBooking.objects.values("resource").distinct().count() == 3

    def test_are_protected_by_the_constraint_alone_too(self, clinic):
        clinic[1].resource_kinds = ["table"]
        clinic[1].save()
        factories.make_resource(clinic[0])
        jobs = [booking(clinic, number, clinic[2][number]) for number in range(4)]
        ended = at_once(jobs, threads=4, around=without_lock(4))
        assert (ended["done"], ResourceBooking.objects.count()) == (1, 1)


class TestDailyCap:
    def test_of_a_service_holds_whoever_is_booked(self, clinic):
        _, service, people, _ = clinic
        service.daily_cap = 3
        service.save()
        jobs = [
            booking(clinic, number, people[number % 4], START + timedelta(hours=number // 4))
            for number in range(16)
        ]
        assert at_once(jobs) == {"done": 3, "slot_unavailable": 13}


class TestOneAppointment:
    def test_is_moved_by_all_without_an_expected_version(self, clinic):
        business, service, people, _ = clinic
        appointment = factories.make_appointment(
            service=service, staff=people[0], start_time=START, customer=clinic[3][0]
        )

        def moving(number: int):
            change = {"start": START + timedelta(hours=1 + number)}
            if number % 3 == 0:
                change["staff"] = people[1 + number % 2]

            def move() -> None:
                operations.update_appointment(
                    business=business, appointment_id=appointment.pk, changes=change, now=NOW
                )

            return move

        hours = [(weekday, 0, 1440) for weekday in range(7)]
        for person in people:
            update_staff(
                business=business, staff_id=person.pk, changes={"working_hours": hours}, now=NOW
            )
        ended = at_once([moving(number) for number in range(12)], threads=6)
        assert set(ended) <= {"done", "service_unavailable"}
        assert ended["done"] >= 6


class TestOneCustomer:
    def test_has_exact_statistics(self, clinic):
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


class TestStaffOut:
    def test_of_everyone_at_once_with_bookings_and_cancellations_never_overlaps(self, clinic):
        """Each waits for the one before; nothing deadlocks."""
        business, service, people, customers = clinic
        booked = [
            factories.make_appointment(
                service=service, staff=person, customer=customers[place],
                start_time=START + timedelta(hours=hour),
            )
            for place, person in enumerate(people)
            for hour in range(3)
        ]  # fmt: skip

        def out(person):
            return lambda: take_staff_out(
                business=business, staff_id=person.pk, now=NOW,
                start=START, end=START + timedelta(hours=12),
            )  # fmt: skip

        def cancel(appointment):
            return lambda: operations.cancel_appointment(
                business=business, appointment_id=appointment.pk, now=NOW
            )

        jobs = [*map(out, people[:3]), *map(cancel, booked[1::4])]
        jobs += [booking(clinic, number) for number in range(2)]
        codes = at_once(jobs)
        assert set(codes) <= {"done", "slot_unavailable", "outside_working_hours"}, codes
        assert codes["done"] >= 6
        assert overlaps() == 0
