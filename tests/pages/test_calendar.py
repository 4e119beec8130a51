"""The week at a glance, and which appointments stand outside their hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.pages.week import week_of
from staff.models import Closure, TimeOff, WorkingHours
from tests import factories

MONDAY = date(2026, 11, 23)


@pytest.fixture
def person(business):
    return factories.make_staff(
        business, name="Dr. Meera Nair", hours=["09:00-13:00", "14:00-17:00"]
    )


def at(hour, minute=0, day=23):
    """An instant of Monday the 23rd (or `day`) at local time in Kolkata, +05:30."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=5, minutes=30)


def cell_of(business, person, day=MONDAY):
    week = week_of(business, [person], MONDAY)
    return next(cell for cell in week.rows[0].cells if cell.day == day)


class TestWeek:
    def test_shows_hours_with_their_break(self, business, person):
        spans = [(block.start, block.end) for block in cell_of(business, person).open]
        assert spans == [(540, 780), (840, 1020)]

    def test_shows_appointments_in_local_time(self, business, person):
        factories.make_appointment(business, staff=person, start_time=at(10, 30))
        (block,) = cell_of(business, person).blocks
        assert (block.clock, block.minutes, block.outside) == ("10:30", 30, "")

    def test_leaves_out_what_is_cancelled(self, business, person):
        factories.make_appointment(business, staff=person, start_time=at(10), status="cancelled")
        assert cell_of(business, person).blocks == []

    def test_cuts_time_off_at_midnights(self, business, person):
        TimeOff.objects.create(
            business=business,
            staff=person,
            start_time=at(15),
            end_time=at(11, day=25),
            reason="Course",
        )
        spans = [
            (block.kind, block.title, block.start, block.end)
            for day in range(3)
            for block in cell_of(business, person, MONDAY + timedelta(days=day)).blocks
        ]
        assert spans == [
            ("away", "Course", 900, 1440),
            ("away", "Course", 0, 1440),
            ("away", "Course", 0, 660),
        ]

    def test_shows_a_holiday_for_everyone(self, business, person):
        Closure.objects.create(business=business, first_date=MONDAY, last_date=MONDAY)
        (block,) = cell_of(business, person).blocks
        assert (block.kind, block.start, block.end) == ("closed", 0, 1440)

    def test_the_clock_change_moves_nothing(self, db):
        business = factories.make_business(timezone="Europe/London")
        person = factories.make_staff(business)
        start = datetime(2027, 3, 28, 9, 0, tzinfo=business.zone)
        factories.make_appointment(business, staff=person, start_time=start)
        week = week_of(business, [person], date(2027, 3, 22))
        sunday = week.rows[0].cells[6]
        assert [(b.start, b.end) for b in sunday.open] == [(540, 1020)]
        assert [b.clock for b in sunday.blocks] == ["09:00"]

    def test_shows_the_hours_that_matter(self, business, person):
        assert week_of(business, [person], MONDAY).first_hour == 9
        factories.make_appointment(business, staff=person, start_time=at(20, 45))
        week = week_of(business, [person], MONDAY)
        assert (week.first_hour, week.last_hour) == (9, 22)
        assert (week_of(business, [], MONDAY).first_hour) == 8

    def test_asks_the_database_a_fixed_number_of_times(
        self, business, person, django_assert_max_num_queries
    ):
        people = [person, *(factories.make_staff(business) for _ in range(5))]
        for one in people:
            factories.make_appointment(business, staff=one, start_time=at(10))
        with django_assert_max_num_queries(8):
            week_of(business, people, MONDAY)


class TestOutsideHours:
    def test_marks_what_a_closure_or_time_off_fell_on(self, business, person):
        days = (23, 24, 25, 26)
        for day in days:
            factories.make_appointment(business, staff=person, start_time=at(10, day=day))
        TimeOff.objects.create(
            business=business, staff=person, start_time=at(9, day=24), end_time=at(11, day=24)
        )
        Closure.objects.create(
            business=business, first_date=date(2026, 11, 25), last_date=date(2026, 11, 25)
        )
        WorkingHours.objects.filter(staff=person, weekday=3).delete()
        cells = week_of(business, [person], MONDAY).rows[0].cells[:4]
        marks = [block.outside for cell in cells for block in cell.blocks if block.appointment]
        assert marks == [
            "",
            "in time off",
            "while the business is closed",
            "outside working hours",
        ]


class TestPage:
    @pytest.fixture
    def client_of(self):
        def log_in(user):
            client = Client()
            client.force_login(user)
            return client

        return log_in

    def test_shows_a_business_and_a_person(self, business, person, client_of):
        start = timezone.now() + timedelta(hours=1)
        appointment = factories.make_appointment(business, staff=person, start_time=start)
        client = client_of(factories.make_user(business, role="staff"))
        week = start.astimezone(business.zone).date()
        for query in (f"week={week}", f"week={week}&staff={person.pk}"):
            page = client.get(f"/admin/calendar/?{query}").content.decode()
            assert appointment.customer.name in page
            assert f"/admin/appointments/appointment/{appointment.pk}/change/" in page

    def test_another_business_or_its_staff_is_not_there(
        self, business, other_business, person, client_of
    ):
        theirs = factories.make_staff(other_business, name="Their Person")
        client = client_of(factories.make_user(business))
        assert client.get(f"/admin/calendar/?business={other_business.pk}").status_code == 404
        assert client.get(f"/admin/calendar/?staff={theirs.pk}").status_code == 404
        page = client.get("/admin/calendar/").content.decode()
        assert "Their Person" not in page
        assert other_business.name not in page

    @pytest.mark.parametrize("week", ("", "yesterday", "0001-01-01", "2026-02-30", "9999-12-31"))
    def test_nonsense_means_this_week(self, business, person, client_of, week):
        client = client_of(factories.make_user(business))
        assert client.get("/admin/calendar/", {"week": week}).status_code == 200

    def test_a_person_without_a_business_is_told(self, db, client_of):
        page = client_of(factories.make_user()).get("/admin/calendar/").content.decode()
        assert "member of no business" in page
