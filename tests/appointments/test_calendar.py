"""The calendar of a member of staff, read with the library that calendar programs are tested with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone
from icalendar import Calendar

from appointments.models import Appointment
from staff.feeds import open_feed
from staff.models import CalendarFeed, StaffMember
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(business):
    return factories.make_staff(business, name="Dr. Meera Nair")


@pytest.fixture
def url(person):
    return f"/calendar/{open_feed(staff=person)}.ics"


def events(response):
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(response.content)
    assert not calendar.errors
    return {str(event["uid"]): event for event in calendar.walk("VEVENT")}


class TestCalendar:
    def test_shows_the_persons_appointments(self, business, person, url):
        service = factories.make_service(business, name="Cleaning")
        asha = factories.make_customer(business, name="Asha; Rao, 😀")
        mine = factories.make_appointment(
            service=service, staff=person, customer=asha, notes="A\nB, c; d\\e"
        )
        factories.make_appointment(service=service)
        (event,) = events(Client().get(url)).values()
        assert event["summary"] == "Cleaning: Asha; Rao, 😀"
        assert event["description"] == "A\nB, c; d\\e"
        assert event["dtstart"].dt == mine.start_time
        assert event["dtend"].dt == mine.end_time
        assert event["status"] == "CONFIRMED"

    def test_of_nobody_booked_is_empty_and_valid(self, url):
        assert events(Client().get(url)) == {}

    @pytest.mark.parametrize("zone", ("America/New_York", "Europe/London", "Asia/Kolkata"))
    def test_keeps_each_instant_when_the_clocks_change(self, zone):
        business = factories.make_business(timezone=zone)
        person = factories.make_staff(business)
        service = factories.make_service(business)
        year = timezone.now().year + 1
        starts = [datetime(year, month, 1, 12, tzinfo=UTC) for month in range(1, 13)]
        for start in starts:
            factories.make_appointment(service=service, staff=person, start_time=start)
        shown = events(Client().get(f"/calendar/{open_feed(staff=person)}.ics"))
        assert sorted(event["dtstart"].dt for event in shown.values()) == starts

    def test_keeps_a_cancelled_one_as_cancelled(self, client, person, url):
        appointment = factories.make_appointment(
            service=factories.make_service(person.business), staff=person
        )
        (before,) = events(Client().get(url)).values()
        Appointment.objects.filter(pk=appointment.pk).update(
            created_at=appointment.created_at - timedelta(minutes=1)
        )
        client.delete(f"/api/v1/appointments/{appointment.pk}")
        (after,) = events(Client().get(url)).values()
        assert after["uid"] == before["uid"]
        assert after["status"] == "CANCELLED"
        assert after["sequence"] > before["sequence"]

    def test_forgets_what_is_long_past(self, person, url):
        service = factories.make_service(person.business)
        past = timezone.now() - timedelta(days=61)
        factories.make_appointment(service=service, staff=person, start_time=past)
        assert events(Client().get(url)) == {}

    def test_is_not_sent_twice(self, person, url):
        tag = Client().get(url)["ETag"]
        again = Client().get(url, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        factories.make_appointment(service=factories.make_service(person.business), staff=person)
        assert Client().get(url, headers={"If-None-Match": tag}).status_code == 200


class TestAddress:
    @pytest.mark.parametrize("token", ("x", "a" * 32, "A" * 100))
    def test_that_never_was_shows_nothing(self, token):
        assert Client().get(f"/calendar/{token}.ics").status_code == 404

    def test_is_closed_by_deleting_it(self, url):
        CalendarFeed.objects.get().delete()
        assert Client().get(url).status_code == 404

    def test_of_a_suspended_business_shows_nothing(self, business, url):
        business.suspended_at = timezone.now()
        business.save()
        assert Client().get(url).status_code == 404

    def test_is_not_kept_in_the_clear(self, url):
        token = url.removeprefix("/calendar/").removesuffix(".ics")
        assert token not in str(list(CalendarFeed.objects.values()))

    def test_is_only_read(self, url):
        assert Client().post(url).status_code == 405

    def test_reaches_no_log(self, url):
        from kaivox.api.logs import mask_keys

        assert mask_keys(f"GET {url} 200") == "GET /calendar/….ics 200"

    def test_is_given_out_in_the_admin_once(self, business, person, rf):
        request = rf.post("/admin/")
        request.user = factories.make_user(is_superuser=True)
        said = []
        page = admin.site._registry[StaffMember]
        page.message_user = lambda request, text: said.append(text)
        try:
            page.give_out_calendar(request, StaffMember.objects.all())
        finally:
            del page.message_user
        url = said[0].split("http://testserver")[1].split(" ")[0]
        assert Client().get(url).status_code == 200
