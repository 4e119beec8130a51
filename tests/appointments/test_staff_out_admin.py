"""Staff out in the admin: the form, its two steps, and the link in the calendar."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from appointments.models import Appointment
from tests import factories
from tests.appointments.test_staff_out import NOW, booked, person
from webhooks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.once_in_production]

FORM = {
    "first_day": "2026-03-02", "from_time": "00:00", "last_day": "2026-03-02", "until_time": "24:00",
    "reason": "Ill",
}  # fmt: skip


@pytest.fixture(autouse=True)
def at():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def owner(business):
    client = Client()
    client.force_login(factories.make_user(business))
    return client


@pytest.fixture
def service(business):
    return factories.make_service(business, duration_minutes=60)


@pytest.fixture
def ill(business, service):
    return person(business, service, name="Meera")


@pytest.fixture
def page(ill):
    return f"/admin/staff/staffmember/{ill.pk}/act/out/"


class TestStaffOut:
    def test_asks_then_applies(self, owner, business, service, ill, page):
        colleague = person(business, service, name="Anil")
        first, last = booked(service, ill, 9), booked(service, ill, 10)
        booked(service, colleague, 10)
        assert "Take out" in owner.get(page).content.decode()
        asked = owner.post(page, FORM)
        text = asked.content.decode()
        assert "Choose what becomes of each" in text
        assert "Anil takes it over" in text
        assert not ill.time_off.exists()
        names = [f"appointment-{one.pk}" for one in (first, last)]
        chosen = {name: asked.context["form"][name].value() for name in names}
        assert re.fullmatch(r"move \d+ \d+", chosen[names[1]])
        done = owner.post(page, FORM | chosen, follow=True).content.decode()
        assert "Appointments: 1 reassigned, 1 moved, 0 cancelled, 0 left." in done
        assert ill.time_off.get().end_time - ill.time_off.get().start_time == timedelta(days=1)
        assert Appointment.objects.get(pk=first.pk).staff == colleague
        assert Event.objects.count() == 3

    def test_applies_at_once_without_appointments(self, owner, ill, page):
        assert owner.post(page, FORM).status_code == 302
        assert ill.time_off.get().reason == "Ill"

    @pytest.mark.parametrize(
        ("change", "words"),
        (
            ({"until_time": "00:00"}, "in the past"),
            ({"first_day": "2026-03-04"}, "ends after it starts"),
            ({"from_time": "25:00"}, "from 00:00"),
            ({"last_day": "soon"}, "Write a date"),
            ({"last_day": "9999-12-31"}, "Only dates from 1900"),
        ),
    )
    def test_shows_errors_in_the_form(self, owner, ill, page, change, words):
        response = owner.post(page, FORM | change)
        assert response.status_code == 200
        assert words in response.content.decode()
        assert not ill.time_off.exists()

    def test_shows_what_can_no_longer_be_done(self, owner, business, service, ill, page):
        colleague = person(business, service, name="Anil")
        appointment = booked(service, ill, 9)
        chosen = {f"appointment-{appointment.pk}": f"reassign {colleague.pk}"}
        booked(service, colleague, 9)
        response = owner.post(page, FORM | chosen)
        assert "Select a valid choice" in response.content.decode()
        assert not ill.time_off.exists()

    def test_is_in_the_calendar_for_those_who_may(self, owner, business, ill, page):
        url = f"/admin/calendar/?business={business.pk}&staff={ill.pk}"
        assert page in owner.get(url).content.decode()
        analyst = Client()
        analyst.force_login(factories.make_user(business, role="analyst"))
        assert page not in analyst.get(url).content.decode()
        assert analyst.get(page).status_code == 403
