"""Series and visits at once: one wins, nothing is half-written, and no order of people deadlocks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.groups.models import AppointmentSeries, Visit
from appointments.groups.operations import AppointmentDetails
from appointments.models import Appointment, ResourceBooking
from appointments.series.operations import book_series, cancel_series, move_series
from appointments.series.plans import SeriesRequest
from appointments.series.recurrence import Frequency, Recurrence
from appointments.visits.operations import VisitRequest, book_visit, move_visit
from tests import factories
from tests.appointments.conftest import overlaps
from tests.appointments.test_concurrency import NOW, START, at_once, clinic
from webhooks.models import Event

__all__ = ["clinic"]


def visiting(clinic, number: int, people, start=START):
    business, service, _, customers = clinic

    def book() -> None:
        request = VisitRequest(business, [(service, one) for one in people], start, NOW)
        book_visit(request, AppointmentDetails(customers[number % len(customers)]))

    return book


def check_events() -> None:
    booked = Event.objects.filter(type="appointment.booked").values_list("object_id", flat=True)
    assert sorted(booked) == sorted(Appointment.objects.values_list("pk", flat=True))


class TestVisits:
    def test_for_the_last_place_one_is_booked(self, clinic):
        jobs = [visiting(clinic, number, clinic[2][:2]) for number in range(16)]
        assert at_once(jobs) == {"done": 1, "slot_unavailable": 15}
        assert Appointment.objects.count() == 2 * Visit.objects.count() == 2
        check_events()

    def test_in_opposite_orders_do_not_deadlock(self, clinic):
        first, second = clinic[2][:2]
        # Each begins with the person with whom the other ends, so one of each order fits.
        jobs = [
            visiting(clinic, number, (first, second) if number % 2 else (second, first))
            for number in range(16)
        ]
        assert at_once(jobs) == {"done": 2, "slot_unavailable": 14}
        assert Appointment.objects.count() == 2 * Visit.objects.count() == 4
        assert overlaps() == 0
        check_events()

    def test_of_anyone_are_booked_while_there_is_anyone(self, clinic):
        jobs = [visiting(clinic, number, (None, None, None)) for number in range(12)]
        ended = at_once(jobs, threads=6)
        assert ended["done"] == 4
        assert set(ended) <= {"done", "slot_unavailable", "service_unavailable"}
        assert Appointment.objects.count() == 12
        assert overlaps() == 0
        check_events()

    def test_are_moved_across_each_other(self, clinic):
        business, service, people, customers = clinic
        visits = []
        for number, staff in enumerate((people[:2], people[1::-1])):
            request = VisitRequest(
                business, [(service, one) for one in staff], START + timedelta(hours=number), NOW
            )
            visits.append(book_visit(request, AppointmentDetails(customers[number])))

        def moving(number: int):
            start = START + timedelta(hours=2, minutes=30 * number)
            return lambda: move_visit(visit=visits[number % 2], start=start, now=NOW)

        ended = at_once([moving(number) for number in range(8)], threads=4)
        assert set(ended) <= {"done", "slot_unavailable", "service_unavailable"}
        assert ended["done"] >= 2
        assert overlaps() == 0


class TestSeries:
    def request(self, clinic, staff, start=START, days: int = 5) -> SeriesRequest:
        rule = Recurrence(Frequency.DAILY, number=days)
        return SeriesRequest(clinic[0], clinic[1], start, rule, NOW, staff=staff)

    def test_that_overlap_are_booked_once(self, clinic):
        def job(number: int):
            # They share all days but some.
            request = self.request(clinic, clinic[2][0], START + timedelta(days=number % 3))
            details = AppointmentDetails(clinic[3][number % 4])
            return lambda: book_series(request, details)

        ended = at_once([job(number) for number in range(12)], threads=6)
        assert ended == {"done": 1, "series_clashes": 11}
        assert Appointment.objects.count() == 5 * AppointmentSeries.objects.count() == 5
        check_events()

    def test_of_anyone_are_booked_while_there_is_anyone(self, clinic):
        request = self.request(clinic, None)
        jobs = [
            lambda number=number: book_series(request, AppointmentDetails(clinic[3][number % 4]))
            for number in range(8)
        ]
        ended = at_once(jobs, threads=4)
        assert ended["done"] == 4
        assert set(ended) <= {"done", "series_clashes", "service_unavailable"}
        assert overlaps() == 0

    def test_moved_at_once_are_moved_one_after_the_other(self, clinic):
        people = clinic[2]
        series = book_series(self.request(clinic, people[0]), AppointmentDetails(clinic[3][0]))

        def moving(number: int):
            start, staff = START + timedelta(hours=1 + number), people[number % 3]
            first = first_of(series)
            return lambda: move_series(
                series=series, first=first, start=start, staff=staff, now=NOW
            )

        ended = at_once([moving(number) for number in range(6)], threads=3)
        assert set(ended) <= {"done", "service_unavailable"}
        assert ended["done"] >= 3
        rows = Appointment.objects.all()
        assert len({(one.staff_id, one.start_time.hour) for one in rows}) == 1
        moved = Event.objects.filter(type="appointment.rescheduled").count()
        assert moved == 5 * ended["done"]


def first_of(series) -> Appointment:
    return Appointment.objects.filter(series=series).earliest("start_time")


class TestResources:
    """Series and visits reserve resources, as a single booking does."""

    @pytest.fixture
    def with_chair(self, clinic):
        business, service, _, _ = clinic
        service.resource_kinds = ["chair"]
        service.save()
        factories.make_resource(business, "chair")
        return clinic

    def test_are_reserved_once(self, with_chair):
        people = with_chair[2]
        jobs = [visiting(with_chair, number, people[number % 2 : 4 : 2]) for number in range(8)]
        assert at_once(jobs, threads=4) == {"done": 1, "slot_unavailable": 7}
        assert ResourceBooking.objects.count() == Appointment.objects.count() == 2

    def test_move_with_their_appointments_and_are_freed(self, with_chair):
        business, service, people, customers = with_chair
        details = AppointmentDetails(customers[0])
        rule = Recurrence(Frequency.DAILY, number=2)
        request = SeriesRequest(business, service, START, rule, NOW, staff=people[0])
        series = book_series(request, details)
        quarter = timedelta(minutes=15)
        move_series(series=series, start=START + quarter, now=NOW)
        visit = book_visit(
            VisitRequest(business, [(service, None)] * 2, START + timedelta(hours=1), NOW),
            details,
        )
        move_visit(visit=visit, start=START + timedelta(hours=1) + quarter, now=NOW)
        reserved = ResourceBooking.objects.order_by("pk").values_list("start_time", flat=True)
        assert sorted(reserved) == sorted(Appointment.objects.values_list("start_time", flat=True))
        cancel_series(series=series, now=NOW)
        assert ResourceBooking.objects.filter(status="cancelled").count() == 2
