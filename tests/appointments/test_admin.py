"""Admin of appointments: the same rules and events as in the API."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from django.test import Client

from appointments.groups.models import AppointmentSeries, Visit
from appointments.models import Appointment
from appointments.outside_hours import outside_hours
from appointments.resources.models import Resource
from staff import operations as staff_operations
from staff.models import TimeOff
from tests import factories
from tests.appointments.conftest import NOW, event_types
from webhooks.models import Event

pytestmark = pytest.mark.once_in_production

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

    def test_books_in_the_time_zone_of_the_business(self, staff_client, clinic):
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
            ({"day": "2026-02-30"}, "There is no 2026-02-30"),
            ({"day": "2026-02-28"}, "is in the past"),
        ),
    )
    def test_shows_errors_in_the_form(self, staff_client, clinic, change, words):
        response = staff_client.post(f"{URL}/add/", self.form(clinic, **change))
        assert response.status_code == 200
        assert words in response.content.decode()
        assert not Appointment.objects.exists()

    def test_rejects_rows_of_another_business(self, staff_client, clinic, other_business):
        theirs = factories.make_customer(other_business)
        response = staff_client.post(f"{URL}/add/", self.form(clinic, customer=theirs.pk))
        assert response.status_code == 200
        assert not Appointment.objects.exists()


class TestChange:
    def test_shows_it_and_accepts_notes(self, staff_client, appointment):
        page = f"{URL}/{appointment.pk}/change/"
        assert "Mon 2 Mar 2026, 10:00" in staff_client.get(page).content.decode()
        assert staff_client.post(page, {"notes": "Bring X-rays"}).status_code == 302
        appointment.refresh_from_db()
        assert appointment.notes == "Bring X-rays"

    def test_changes_nothing_else_for_a_forged_form(self, staff_client, appointment):
        form = {"notes": "", "status": "cancelled", "price": "0"}
        staff_client.post(f"{URL}/{appointment.pk}/change/", form)
        appointment.refresh_from_db()
        assert (appointment.status, appointment.price) == ("scheduled", 1200)


class TestMove:
    def move(self, client, appointment, **values):
        page = f"{URL}/{appointment.pk}/act/move/"
        form = {"day": "2026-03-02", "time": "11:00", "staff": appointment.staff_id, **values}
        return client.post(page, form)

    def test_form_has_the_present_time(self, staff_client, appointment):
        page = staff_client.get(f"{URL}/{appointment.pk}/act/move/").content.decode()
        assert 'value="2026-03-02"' in page
        assert 'value="10:00"' in page

    def test_moves_it(self, staff_client, appointment):
        assert self.move(staff_client, appointment).status_code == 302
        appointment.refresh_from_db()
        assert appointment.start_time == NOW + timedelta(hours=5)
        assert event_types() == ["appointment.rescheduled"]

    def test_returns_to_the_page_it_came_from_but_to_no_other_site(self, staff_client, appointment):
        page = f"{URL}/{appointment.pk}/act/move/"
        form = {"day": "2026-03-02", "time": "11:00", "staff": appointment.staff_id}
        for came_from, expected in (
            ("/admin/calendar/?day=2026-03-02", "/admin/calendar/?day=2026-03-02"),
            ("https://example.com/", f"{URL}/{appointment.pk}/change/"),
            ("//example.com", f"{URL}/{appointment.pk}/change/"),
        ):
            response = staff_client.post(page, form, query_params={"next": came_from})
            assert response.headers["Location"] == expected

    def test_names_who_does_not_offer_the_service(self, staff_client, appointment, clinic):
        other = factories.make_staff(clinic.business, services=[])
        response = self.move(staff_client, appointment, staff=other.pk)
        assert f"does not offer {clinic.service}" in response.content.decode()

    def test_sends_times_in_utc_although_the_page_is_in_the_zone_of_the_business(
        self, staff_client, appointment
    ):
        self.move(staff_client, appointment)
        body = json.loads(bytes(Event.objects.get().body))
        times = [text for text in strings_of(body) if re.match(r"\d{4}-\d\d-\d\dT", text)]
        assert len(times) > 3
        assert all(text.endswith("Z") for text in times)

    def test_is_rejected_with_the_reason(self, staff_client, clinic, appointment):
        factories.make_appointment(
            service=clinic.service, staff=clinic.staff, start_time=NOW + timedelta(hours=5)
        )
        response = self.move(staff_client, appointment, time="10:45")
        assert response.status_code == 200
        assert "2026-03-02 10:45 (Asia/Kolkata) is not free" in response.content.decode()
        appointment.refresh_from_db()
        assert appointment.start_time == NOW + timedelta(hours=4)

    def test_offers_only_people_of_the_business(self, staff_client, appointment, other_business):
        theirs = factories.make_staff(other_business, services=[appointment.service])
        assert self.move(staff_client, appointment, staff=theirs.pk).status_code == 200
        assert event_types() == []


class TestFreeTimes:
    def times(self, client, clinic, **values):
        query = {"service": clinic.service.pk, "day": "2026-03-02", **values}
        return client.get(f"{URL}/free-times/", query)

    def test_are_those_of_the_day_in_the_time_zone_of_the_business(self, staff_client, clinic):
        found = self.times(staff_client, clinic).json()
        assert (found["zone"], found["is_of_day"]) == ("Asia/Kolkata", True)
        assert found["times"][-1]["staff"] == [clinic.staff.name]
        assert {slot["day"] for slot in found["times"]} == {"2026-03-02"}

    def test_include_the_time_of_the_appointment_that_is_moved(
        self, staff_client, clinic, appointment
    ):
        def shown(**values):
            slots = self.times(staff_client, clinic, **values).json()["times"]
            return {slot["time"] for slot in slots}

        assert "10:00" not in shown()
        assert "10:00" in shown(appointment=appointment.pk)

    def test_take_the_party(self, staff_client, bistro, tables):
        def shown(**values):
            slots = self.times(staff_client, bistro, **values).json()["times"]
            return {slot["time"] for slot in slots}

        noon = NOW.replace(hour=6, minute=30)
        for name in ("six", "four"):
            party = factories.make_appointment(
                service=bistro.service, start_time=noon, party_size=3
            )
            factories.reserve(party, Resource.objects.get(pk=tables[name]))
        assert "12:00" in shown(party_size=2)
        assert "12:00" not in shown(party_size=3)
        # Its own party, and its own table.
        assert "12:00" in shown(appointment=party.pk)
        assert "12:00" not in shown(appointment=party.pk, party_size=5)
        assert shown(party_size=7) == set()
        assert self.times(staff_client, bistro, party_size=0).status_code == 422

    def test_are_of_the_whole_day_of_a_table_without_hours(self, staff_client, bistro):
        factories.make_resource(bistro.business)
        found = self.times(staff_client, bistro, day="2026-03-03").json()
        clocks = [slot["time"] for slot in found["times"]]
        assert (clocks[0], clocks[-1]) == ("00:00", "23:45")

    def test_are_the_next_one_where_the_day_has_none(self, staff_client, clinic):
        clinic.staff.date_overrides.create(business=clinic.business, date=date(2026, 3, 2))
        found = self.times(staff_client, clinic).json()
        assert not found["is_of_day"]
        assert [slot["day"] for slot in found["times"]] == ["2026-03-03"]
        assert found["times"][0]["label"].startswith("Tue 3 Mar 2026, ")

    def test_of_a_person_without_the_service_say_so(self, staff_client, clinic):
        other = factories.make_staff(clinic.business, name="Nina")
        response = self.times(staff_client, clinic, staff=other.pk)
        assert response.status_code == 422
        assert f"Nina does not offer {clinic.service}." in response.content.decode()

    def test_of_another_business_are_not_shown(self, staff_client, clinic, other_business):
        theirs = factories.make_service(other_business)
        assert self.times(staff_client, clinic, service=theirs.pk).status_code == 422
        member = factories.make_staff(other_business)
        assert self.times(staff_client, clinic, staff=member.pk).status_code == 422

    def test_are_for_those_who_may_book(self, clinic):
        client = Client()
        client.force_login(factories.make_user(clinic.business, role="analyst"))
        assert self.times(client, clinic).status_code == 403


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

    def test_cancels_the_following_of_a_series_or_a_visit(self, staff_client, clinic, appointment):
        series = AppointmentSeries.objects.create(
            business=clinic.business,
            customer=clinic.customer,
            frequency="daily",
            interval=1,
            count=3,
        )
        visit = Visit.objects.create(business=clinic.business, customer=clinic.customer)
        groups = {"series": series, "visit": visit}
        Appointment.objects.update(**groups)
        for days in (1, 2):
            start = appointment.start_time + timedelta(days=days)
            factories.make_appointment(
                service=clinic.service,
                staff=clinic.staff,
                customer=clinic.customer,
                start_time=start,
                **groups,
            )
        second = Appointment.objects.all()[1]
        page = staff_client.get(f"{URL}/{second.pk}/change/").content.decode()
        assert "Appointments of this series" in page
        assert "Appointments of this visit" in page
        for act, cancelled in (("cancel-following", 2), ("cancel-visit", 3)):
            staff_client.post(
                f"{URL}/{appointment.pk + (cancelled == 2)}/act/{act}/", {"reason": ""}
            )
            assert Appointment.objects.filter(status="cancelled").count() == cancelled
        assert staff_client.post(f"{URL}/{second.pk}/act/cancel-visit/").status_code == 403

    def test_of_another_business_is_not_found(self, staff_client, other_business):
        theirs = factories.make_appointment(other_business)
        assert staff_client.post(f"{URL}/{theirs.pk}/act/cancel/").status_code == 404
        assert staff_client.get(f"{URL}/{theirs.pk}/change/").status_code == 302


class TestOutsideHours:
    def test_finds_scheduled_ones_outside_the_new_hours(self, clinic, appointment):
        def at(hours: float, **values):
            start = NOW + timedelta(hours=hours)
            values = {"service": clinic.service, "staff": clinic.staff, **values}
            return factories.make_appointment(start_time=start, **values)

        assert outside_hours(clinic.business, now=NOW) == {}
        tomorrow, later, on_holiday, gone = at(28), at(52), at(76), at(77, status="cancelled")
        clinic.staff.date_overrides.create(
            business=clinic.business,
            date=tomorrow.start_time.date(),
            start_minute=900,
            end_minute=960,
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

    def test_of_all_businesses_is_for_superusers(self, clinic, appointment):
        client = Client()
        client.force_login(factories.make_user(is_superuser=True))
        clinic.staff.working_hours.all().delete()
        assert "Asha Rao" in _rows(client.get(f"{URL}/?outside_hours=yes"))


def strings_of(value) -> list[str]:
    """Every string in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in strings_of(item)]
    return [value] if isinstance(value, str) else []


def _rows(response) -> str:
    page = response.content.decode()
    return page[page.find('id="result_list"') :] if 'id="result_list"' in page else ""
