"""Every two operations lock in one order (docs/decisions/0041), so none waits for one that waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections

from appointments import holds, operations
from appointments.groups.operations import AppointmentDetails
from appointments.models import Appointment, Hold
from appointments.reservations import translate_database_errors
from appointments.resources.models import Resource
from appointments.series.operations import book_series, move_series
from appointments.series.plans import SeriesRequest
from appointments.series.recurrence import Frequency, Recurrence
from appointments.staff_out.operations import Action, Choice, take_staff_out
from appointments.visits.operations import VisitRequest, book_visit, move_visit
from customers.models import Customer
from kaivox.db.transactions import write_transaction
from staff.operations import add_time_off
from tests import factories
from tests.appointments.test_concurrency import NOW, START, clinic, outcome

__all__ = ["clinic"]

pytestmark = pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has one writer at a time")

HOUR = timedelta(hours=1)
_BLOCKED = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def meanwhile(first: Callable[[Callable[[], None]], None], second: Callable[[], None]):
    """The outcomes of both. `first` gets a function: when it calls it, `second` is run until it ends or
    waits for `first`."""
    pending: list[Future[str]] = []

    def run_second() -> str:
        try:
            return outcome(second)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:

        def pause() -> None:
            if pending:
                return
            pending.append(pool.submit(run_second))
            deadline = time.monotonic() + 10
            while not (pending[0].done() or _is_waited_for()):
                assert time.monotonic() < deadline
                time.sleep(0.01)

        ended = outcome(lambda: first(pause))
        return ended, pending[0].result()


def _is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_BLOCKED)
        return bool(cursor.fetchone()[0])


def locking(rows, ids, *, no_key: bool = True):
    """A transaction that locks the first of `ids`, pauses, and locks the others."""

    def lock(pause) -> None:
        with translate_database_errors(), write_transaction():
            for number, pk in enumerate(ids):
                if number == 1:
                    pause()
                list(rows.select_for_update(no_key=no_key).filter(pk=pk))

    return lock


@pytest.fixture
def before_lock(monkeypatch):
    """A function that makes an operation pause before it locks its appointment."""

    def pausing(operation):
        def run(pause) -> None:
            lock = operations.lock_appointment

            def lock_appointment(*arguments):
                pause()
                return lock(*arguments)

            monkeypatch.setattr(operations, "lock_appointment", lock_appointment)
            operation()

        return run

    return pausing


@pytest.fixture
def bistro(clinic):
    """The clinic, with a service that needs the only table and no staff."""
    business = clinic[0]
    factories.make_resource(business, "table")
    return business, factories.make_service(business, resource_kinds=["table"], needs_staff=False)


class TestStaffOut:
    @staticmethod
    def taking_out(staff, choices=None):
        return lambda: take_staff_out(
            business=staff.business,
            staff_id=staff.pk,
            start=START,
            end=START + 6 * HOUR,
            choices=choices,
            now=NOW,
        )

    @staticmethod
    def appointments(clinic, *starts, service=None):
        business, any_service, people, customers = clinic
        return [
            factories.make_appointment(
                business,
                service=service or any_service,
                staff=people[0],
                start_time=start,
                customer=customer,
            )
            for start, customer in zip(starts, customers, strict=False)
        ]

    def test_locks_resources_before_appointments(self, clinic, bistro, before_lock):
        business, at_table = bistro
        people = clinic[2]
        served = factories.make_service(business, resource_kinds=["table"])
        for person in people:
            person.services.add(served)
        [moved] = self.appointments(clinic, START)
        [other] = self.appointments(clinic, START + 2 * HOUR, service=served)

        def move() -> None:
            operations.reschedule_appointment(
                business=business, appointment_id=moved.pk, service=at_table, now=NOW
            )

        assert meanwhile(before_lock(move), self.taking_out(people[0])) == ("done", "done")
        assert Appointment.objects.get(pk=moved.pk).staff is None
        assert Appointment.objects.get(pk=other.pk).staff not in (None, people[0])

    def test_locks_appointments_by_id(self, clinic):
        later, earlier = self.appointments(clinic, START + HOUR, START)
        lock = locking(Appointment.objects, [later.pk, earlier.pk])
        assert meanwhile(lock, self.taking_out(clinic[2][0])) == ("done", "done")

    def test_locks_customers_by_id(self, clinic):
        both = self.appointments(clinic, START + HOUR, START)
        choices = {one.pk: Choice(Action.CANCEL) for one in both}
        lock = locking(Customer.objects, [one.customer_id for one in both])
        assert meanwhile(lock, self.taking_out(clinic[2][0], choices)) == ("done", "done")

    def test_locks_days_with_a_cap_before_appointments(self, clinic, monkeypatch):
        """Of someone who is added meanwhile nothing is locked: others can have locked them."""
        business, service, people, _ = clinic
        service.daily_cap = 9
        service.save()
        [moved] = self.appointments(clinic, START)
        for colleague in people[1:]:  # who is added is free for longer
            factories.make_appointment(
                business, service=service, staff=colleague, start_time=START + 5 * HOUR
            )

        def take_out(pause) -> None:
            def add(**values):
                pause()
                return add_time_off(**values)

            monkeypatch.setattr(f"{take_staff_out.__module__}.add_time_off", add)
            self.taking_out(people[0])()

        def move_to_someone_new() -> None:
            operations.reschedule_appointment(
                business=business,
                appointment_id=moved.pk,
                staff=factories.make_staff(business, services=[service]),
                now=NOW,
            )

        assert meanwhile(take_out, move_to_someone_new) == ("done", "done")


class TestSeriesAndVisits:
    def moving_one(self, appointment):
        return lambda: operations.reschedule_appointment(
            business=appointment.business,
            appointment_id=appointment.pk,
            start=appointment.start_time + 3 * HOUR,
            now=NOW,
        )

    def test_a_series_locks_resources_before_appointments(self, clinic, bistro, before_lock):
        rule = Recurrence(Frequency.DAILY, number=2)
        request = SeriesRequest(*bistro, START, rule, NOW)
        series = book_series(request, AppointmentDetails(clinic[3][0]))
        one = Appointment.objects.earliest("start_time")
        both = meanwhile(
            before_lock(self.moving_one(one)),
            lambda: move_series(series=series, start=START + HOUR, now=NOW),
        )
        assert both == ("done", "done")

    def test_a_visit_locks_resources_before_appointments(self, clinic, bistro, before_lock):
        business, at_table = bistro
        visit = book_visit(
            VisitRequest(business, [(at_table, None)] * 2, START, NOW),
            AppointmentDetails(clinic[3][0]),
        )
        one = Appointment.objects.latest("start_time")
        both = meanwhile(
            before_lock(self.moving_one(one)),
            lambda: move_visit(visit=visit, start=START + HOUR, now=NOW),
        )
        assert both == ("done", "done")

    def test_a_visit_locks_the_resources_of_all_services_by_id(self, clinic, bistro):
        business, at_table = bistro
        factories.make_resource(business, "chair")
        # The service comes first whose resource comes last.
        at_table.resource_kinds = ["chair"]
        at_table.save()
        second = factories.make_service(business, resource_kinds=["table"], needs_staff=False)
        request = VisitRequest(business, [(at_table, None), (second, None)], START, NOW)
        ids = Resource.objects.order_by("pk").values_list("pk", flat=True)
        both = meanwhile(
            locking(Resource.objects, list(ids)),
            lambda: book_visit(request, AppointmentDetails(clinic[3][0])),
        )
        assert both == ("done", "done")


class TestHolds:
    def test_that_are_old_are_deleted_without_waiting(self, bistro):
        business, at_table = bistro

        def hold() -> None:
            holds.place_hold(business=business, service=at_table, start=START, lasts=HOUR, now=NOW)

        hold()
        old = Hold.objects.get()
        old.expires_at = NOW - timedelta(days=2)
        old.save()
        other = Hold.objects.get()
        other.pk = None
        other.save()
        # Another transaction deletes them in the opposite order.
        lock = locking(Hold.objects, [other.pk, old.pk], no_key=False)
        assert meanwhile(lock, hold) == ("done", "done")
