"""The admin's pages of appointments: the same rules, the same events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from appointments.models import Appointment
from appointments.outside_hours import outside_hours
from staff import operations as staff_operations
from staff.models import TimeOff
from tests import factories
from tests.appointments.conftest import NOW, event_types

URL = "/admin/appointments/appointment"


@pytest.fixture
def staff_client(clinic) -> Client:
    client = Client()
    client.force_login(factories.make_user(clinic.business, role="staff"))
    return client


@pytest.fixture
def appointment(clinic) -> Appointment:
    return factories.make_appointment(
        service=clinic.service,
        staff=clinic.staff,
        customer=clinic.customer,
        start_time=NOW + timedelta(hours=4),
    )


class TestAdd:
    def form(self, clinic, **values) -> dict:
        return {
            "business": clinic.business.pk,
            "customer": clinic.customer.pk,
            "service": clinic.service.pk,
            "staff": "",
            "day": "2026-03-02",
            "time": "10:00",
            "notes": "By phone",
            **values,
        }

    def test_books_on_the_clock_of_the_business(self, staff_client, clinic):
        response = staff_client.post(f"{URL}/add/", self.form(clinic))
        assert response.status_code == 302
        booked = Appointment.objects.get()
        assert booked.start_time == NOW + timedelta(hours=4)
        assert (booked.source, booked.staff, booked.notes) == ("admin", clinic.staff, "By phone")
        assert event_types() == ["appointment.booked"]

    @pytest.mark.parametrize(
        ("change", "words"),
        (
            ({"time": "20:00"}, "outside working hours"),
            ({"time": "24:30"}, "from 00:00 to 24:00"),
            ({"day": "2026-02-30"}, "Enter a valid date"),
            ({"day": "2026-02-28"}, "is past"),
        ),
    )
    def test_is_refused_in_the_form(self, staff_client, clinic, change, words):
        response = staff_client.post(f"{URL}/add/", self.form(clinic, **change))
        assert response.status_code == 200
        assert words in response.content.decode()
        assert not Appointment.objects.exists()

    def test_cannot_reach_into_another_business(self, staff_client, clinic, other_business):
        theirs = factories.make_customer(other_business)
        response = staff_client.post(f"{URL}/add/", self.form(clinic, customer=theirs.pk))
        assert response.status_code == 200
        assert not Appointment.objects.exists()


class TestChange:
    def test_shows_it_and_takes_notes(self, staff_client, appointment):
        page = f"{URL}/{appointment.pk}/change/"
        assert "Mon 02 Mar 2026, 10:00" in staff_client.get(page).content.decode()
        assert staff_client.post(page, {"notes": "Bring X-rays"}).status_code == 302
        appointment.refresh_from_db()
        assert appointment.notes == "Bring X-rays"

    def test_nothing_else_by_a_made_up_form(self, staff_client, appointment):
        form = {"notes": "", "status": "cancelled", "price": "0"}
        staff_client.post(f"{URL}/{appointment.pk}/change/", form)
        appointment.refresh_from_db()
        assert (appointment.status, appointment.price) == ("scheduled", 1200)


class TestMove:
    def move(self, client, appointment, **values):
        page = f"{URL}/{appointment.pk}/act/move/"
        form = {"day": "2026-03-02", "time": "11:00", "staff": appointment.staff_id, **values}
        return client.post(page, form)

    def test_starts_from_where_it_is(self, staff_client, appointment):
        page = staff_client.get(f"{URL}/{appointment.pk}/act/move/").content.decode()
        assert 'value="2026-03-02"' in page
        assert 'value="10:00"' in page

    def test_moves_it(self, staff_client, appointment):
        assert self.move(staff_client, appointment).status_code == 302
        appointment.refresh_from_db()
        assert appointment.start_time == NOW + timedelta(hours=5)
        assert event_types() == ["appointment.rescheduled"]

    def test_is_refused_with_the_reason(self, staff_client, clinic, appointment):
        factories.make_appointment(
            service=clinic.service, staff=clinic.staff, start_time=NOW + timedelta(hours=5)
        )
        response = self.move(staff_client, appointment, time="10:45")
        assert response.status_code == 200
        assert "2026-03-02 10:45 is taken" in response.content.decode()
        appointment.refresh_from_db()
        assert appointment.start_time == NOW + timedelta(hours=4)

    def test_offers_only_people_of_the_business(self, staff_client, appointment, other_business):
        theirs = factories.make_staff(other_business, services=[appointment.service])
        assert self.move(staff_client, appointment, staff=theirs.pk).status_code == 200
        assert event_types() == []


class TestEnd:
    @pytest.mark.parametrize(("act", "status"), (("complete", "completed"), ("no-show", "no_show")))
    def test_is_offered_once_it_has_begun(self, staff_client, appointment, frozen, act, status):
        page = f"{URL}/{appointment.pk}/act/{act}/"
        assert staff_client.post(page).status_code == 403
        frozen.shift(timedelta(hours=5))
        staff_client.force_login(factories.make_user(appointment.business))
        assert staff_client.post(page).status_code == 302
        assert event_types() == [f"appointment.{status}"]

    def test_cancels_with_a_reason(self, staff_client, appointment):
        staff_client.post(f"{URL}/{appointment.pk}/act/cancel/", {"reason": "Power cut"})
        appointment.refresh_from_db()
        assert (appointment.status, appointment.cancellation_reason) == ("cancelled", "Power cut")
        assert event_types() == ["appointment.cancelled"]

    def test_of_another_business_is_out_of_reach(self, staff_client, other_business):
        theirs = factories.make_appointment(other_business)
        assert staff_client.post(f"{URL}/{theirs.pk}/act/cancel/").status_code == 404
        assert staff_client.get(f"{URL}/{theirs.pk}/change/").status_code == 302


class TestOutsideHours:
    def test_finds_those_that_stand_where_nobody_works_any_more(self, clinic, appointment):
        def at(hours: float, **values):
            start = NOW + timedelta(hours=hours)
            values = {"service": clinic.service, "staff": clinic.staff, **values}
            return factories.make_appointment(start_time=start, **values)

        assert outside_hours(clinic.business, now=NOW) == {}
        tomorrow, later, on_holiday, gone = at(28), at(52), at(76), at(77, status="cancelled")
        staff_operations.set_hours_on(
            staff=clinic.staff, day=tomorrow.start_time.date(), windows=[(900, 960)]
        )
        TimeOff.objects.create(
            business=clinic.business,
            staff=clinic.staff,
            start_time=later.start_time + timedelta(minutes=29),
            end_time=later.end_time,
        )
        day = on_holiday.start_time.date()
        staff_operations.close_business(
            business=clinic.business, first_date=day, last_date=day, reason="Strike"
        )
        assert outside_hours(clinic.business, now=NOW) == {
            tomorrow.pk: "closed",
            later.pk: "time_off",
            on_holiday.pk: "holiday",
        }
        assert gone.pk not in outside_hours(clinic.business, now=NOW)

    def test_is_a_filter_of_the_list(self, staff_client, clinic, appointment, other_business):
        assert "Asha Rao" not in _rows(staff_client.get(f"{URL}/?outside_hours=yes"))
        clinic.staff.working_hours.all().delete()
        assert "Asha Rao" in _rows(staff_client.get(f"{URL}/?outside_hours=yes"))
        assert "Asha Rao" in _rows(staff_client.get(f"{URL}/"))

    def test_of_everybody_is_for_superusers(self, clinic, appointment):
        client = Client()
        client.force_login(factories.make_user(is_superuser=True))
        clinic.staff.working_hours.all().delete()
        assert "Asha Rao" in _rows(client.get(f"{URL}/?outside_hours=yes"))


def _rows(response) -> str:
    page = response.content.decode()
    return page[page.find('id="result_list"') :] if 'id="result_list"' in page else ""
