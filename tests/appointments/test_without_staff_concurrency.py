"""Parallel bookings, holds and moves of services that need no staff."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection

from appointments import holds, operations
from appointments.models import Appointment, Hold, ResourceBooking
from appointments.resources.models import Resource
from staff.models import Closure
from staff.operations import closure_change
from tests import factories
from tests.appointments.test_concurrency import (
    NOW,
    START,
    at_once,
    booking,
    outcome,
    without_lock,
)


class TestServicesWithoutStaff:
    @pytest.fixture
    def bistro(self, transactional_db):
        """A business whose service needs a table and no staff; two tables for two, one for six."""
        business = factories.make_business(timezone="UTC")
        service = factories.make_service(business, resource_kinds=["table"], needs_staff=False)
        for capacity in (2, 2, 6):
            factories.make_resource(business, capacity=capacity)
        return business, service, [], [factories.make_customer(business) for _ in range(4)]

    def test_tables_are_booked_once_each(self, bistro):
        ended = at_once([booking(bistro, number) for number in range(32)])
        assert ended == {"done": 3, "slot_unavailable": 29}
        assert ResourceBooking.objects.values("resource").distinct().count() == 3

    def test_a_party_gets_a_table_that_is_large_enough(self, bistro):
        jobs = [booking(bistro, number, party_size=2 + number % 2) for number in range(16)]
        assert at_once(jobs)["done"] == 3
        for row in ResourceBooking.objects.select_related("appointment", "resource"):
            assert row.resource.capacity >= row.appointment.party_size

    def test_a_table_is_held_or_booked_or_moved_to_but_once(self, bistro):
        business, service, _, customers = bistro
        Resource.objects.exclude(capacity=6).delete()
        moved = factories.make_appointment(
            service=service, start_time=START + timedelta(hours=5), customer=customers[0]
        )
        factories.reserve(moved, Resource.objects.get())

        def hold() -> None:
            holds.place_hold(
                business=business, service=service, start=START,
                lasts=timedelta(minutes=5), now=NOW,
            )  # fmt: skip

        def move() -> None:
            operations.reschedule_appointment(
                business=business, appointment_id=moved.pk, start=START, now=NOW
            )

        jobs = [(hold, booking(bistro, number), move)[number % 3] for number in range(30)]
        ended = at_once(jobs)
        # Once it is there, moving it there changes nothing.
        assert ended["slot_unavailable"] >= 20
        at_start = Appointment.objects.filter(start_time=START).count()
        assert at_start + Hold.objects.count() == 1

    def test_a_class_is_never_overbooked(self, bistro):
        bistro[1].capacity, bistro[1].resource_kinds = 12, ["studio"]
        bistro[1].save()
        for _ in range(2):
            factories.make_resource(bistro[0], "studio", capacity=12)
        ended = at_once([booking(bistro, number) for number in range(48)])
        assert ended == {"done": 12, "slot_unavailable": 36}
        assert ResourceBooking.objects.values("resource").distinct().count() == 1

    def test_without_the_lock_the_constraint_admits_one(self, bistro):
        Resource.objects.exclude(capacity=6).delete()
        jobs = [booking(bistro, number) for number in range(4)]
        ended = at_once(jobs, threads=4, around=without_lock(4))
        assert (ended["done"], ResourceBooking.objects.count()) == (1, 1)

    @pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has one writer at a time")
    def test_a_closure_waits_for_bookings_and_they_for_it(self, bistro):
        business = bistro[0]
        closing, closed = threading.Event(), threading.Event()

        def close() -> None:
            with closure_change(business_id=business.pk):
                Closure.objects.create(
                    business=business, first_date=START.date(), last_date=START.date(), reason="x"
                )
                closing.set()
                assert not closed.wait(timeout=1)
            connection.close()

        with ThreadPoolExecutor(1) as pool:
            closure = pool.submit(close)
            assert closing.wait(timeout=20)
            assert outcome(booking(bistro, 0)) == "outside_working_hours"
            closed.set()
            closure.result()
