"""The calendar feed of a member of staff, read with two independent libraries."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import ics
import pytest
from django.test import Client
from django.utils import timezone
from icalendar import Calendar

from appointments.models import Appointment
from staff.calendar_feeds import open_feed
from staff.models import CalendarFeed, StaffMember
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(business):
    return factories.make_staff(business, name="Dr. Meera Nair")


@pytest.fixture
def url(person):
    return f"/calendar/{open_feed(staff=person, now=timezone.now())}.ics"


def events(response):
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(response.content)
    assert not calendar.errors
    assert calendar.subcomponents
    assert all(ord(char) >= 32 or char in "\t\r\n" for char in response.content.decode())
    assert "\x7f" not in response.content.decode()
    assert len(ics.Calendar(response.content.decode()).events) == len(calendar.walk("VEVENT"))
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

    @pytest.mark.parametrize("code", (*range(1, 32), 127, 0x85, 0x9F, 0x2028, 0x2029))
    def test_contains_no_control_character(self, business, person, url, code):
        text = f"A{chr(code)}B"
        service = factories.make_service(business, name="Cleaning")
        asha = factories.make_customer(business, name=text)
        factories.make_appointment(service=service, staff=person, customer=asha, notes=text)
        (event,) = events(Client().get(url)).values()
        allowed = code in (9, 10) or code > 127
        expected = "A\nB" if code in (13, 0x85, 0x2028, 0x2029) else text if allowed else "AB"
        assert event["summary"] == f"Cleaning: {expected}"
        assert event["description"] == expected

    def test_without_appointments_is_valid(self, url):
        assert events(Client().get(url)) == {}

    @pytest.mark.parametrize("zone", ("America/New_York", "Europe/London", "Asia/Kolkata"))
    def test_shows_the_same_instants_after_a_clock_change(self, zone):
        business = factories.make_business(timezone=zone)
        person = factories.make_staff(business)
        service = factories.make_service(business)
        year = timezone.now().year + 1
        starts = [datetime(year, month, 1, 12, tzinfo=UTC) for month in range(1, 13)]
        for start in starts:
            factories.make_appointment(service=service, staff=person, start_time=start)
        shown = events(Client().get(f"/calendar/{open_feed(staff=person, now=timezone.now())}.ics"))
        assert sorted(event["dtstart"].dt for event in shown.values()) == starts

    def test_shows_a_cancelled_one_as_cancelled(self, client, person, url):
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

    def test_omits_appointments_of_long_ago(self, person, url):
        service = factories.make_service(person.business)
        past = timezone.now() - timedelta(days=61)
        factories.make_appointment(service=service, staff=person, start_time=past)
        assert events(Client().get(url)) == {}

    def test_supports_conditional_requests(self, person, url):
        tag = Client().get(url)["ETag"]
        again = Client().get(url, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        factories.make_appointment(service=factories.make_service(person.business), staff=person)
        assert Client().get(url, headers={"If-None-Match": tag}).status_code == 200

    def test_is_not_stored_by_caches_nor_named_to_others(self, url):
        tag = Client().get(url)["ETag"]
        for response in (
            Client().get(url),
            Client().get(url, headers={"If-None-Match": tag}),
            Client().post(url),
            Client().get("/calendar/unknown.ics"),
        ):
            assert response["Cache-Control"] == "no-store"
            assert response["Referrer-Policy"] == "no-referrer"


class TestAddress:
    @pytest.mark.parametrize("token", ("x", "a" * 32, "A" * 100))
    def test_that_never_existed_is_not_found(self, token):
        assert Client().get(f"/calendar/{token}.ics").status_code == 404

    def test_is_closed_by_deleting_it(self, url):
        CalendarFeed.objects.get().delete()
        assert Client().get(url).status_code == 404

    def test_of_a_suspended_business_is_not_found(self, business, url):
        business.suspended_at = timezone.now()
        business.save()
        assert Client().get(url).status_code == 404

    def test_of_an_inactive_member_of_staff_is_not_found(self, person, url):
        assert Client().get(url).status_code == 200
        StaffMember.objects.filter(pk=person.pk).update(is_active=False)
        assert Client().get(url).status_code == 404

    def test_is_stored_as_a_hash(self, url):
        token = url.removeprefix("/calendar/").removesuffix(".ics")
        assert token not in str(list(CalendarFeed.objects.values()))

    def test_is_read_only(self, url):
        assert Client().post(url).status_code == 405

    def test_reaches_no_log(self, url):
        from kaivox.api.logging import mask_keys

        assert mask_keys(f"GET {url} 200") == "GET /calendar/….ics 200"

    def test_is_shown_once_in_the_admin(self, business, person):
        browser = Client()
        browser.force_login(factories.make_user(business))
        form = {"action": "create_calendar_address", "_selected_action": [person.pk]}
        page = browser.post("/admin/staff/staffmember/", form, follow=True).content.decode()
        (url,) = re.findall(r"/calendar/[\w-]+\.ics", page)
        assert Client().get(url).status_code == 200
        assert url not in browser.get("/admin/staff/staffmember/").content.decode()
