"""GET, POST and DELETE of /calendars, and calendars in the admin."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import models
from django.db.models.functions import Cast
from django.test import Client
from django.utils import timezone

from kaivox.businesses.models import AuditEntry
from kaivox.request_log.models import RequestLogEntry
from kaivox.request_log.recording import flush
from staff.models import BusyCalendar, CalendarBusyTime
from tests import factories

pytestmark = pytest.mark.django_db

URL = "/api/v1/calendars"
WITH_PASSWORD = "https://user:word@93.184.215.14/a.ics"  # pragma: allowlist secret
SECRET = "https://93.184.215.14/ical/private-9f2c41/basic.ics"


@pytest.fixture
def person(business):
    return factories.make_staff(business, name="Meera")


@pytest.fixture
def new(person):
    return {"staff_id": person.pk, "ics_url": SECRET}


class TestCreate:
    def test_shows_the_address_masked(self, client, new):
        response = client.post(URL, new | {"name": "Private"})
        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert data == data | {
            "staff_id": new["staff_id"], "name": "Private", "ics_url": "https://93.184.215.14/….ics",
            "status": "unread", "problem": None, "busy_times": 0, "last_read_at": None,
        }  # fmt: skip
        assert client.get(f"{URL}/{data['id']}").json()["data"] == data
        stored = BusyCalendar.objects.annotate(token=Cast("ics_url", models.TextField())).get()
        assert (stored.ics_url, stored.token[:5]) == (SECRET, "gAAAA")
        assert stored.next_poll_at <= timezone.now()

    def test_leaves_the_address_nowhere(self, client, new):
        assert client.post(URL, new).status_code == 201
        refused = client.post(URL, new | {"name": "x" * 121})
        broken = client.post(URL, new | {"ics_url": f"{SECRET}#private-9f2c41"})
        assert (refused.status_code, broken.status_code) == (422, 422)
        flush()
        logged = json.dumps(
            [*RequestLogEntry.objects.values(), *AuditEntry.objects.values()], default=str
        )
        assert AuditEntry.objects.get().action == "busy_calendar.added"
        assert "private-9f2c41" not in logged + broken.content.decode()

    def test_reads_webcal_as_https(self, client, new):
        assert (
            client.post(URL, new | {"ics_url": SECRET.replace("https", "WebCal")}).status_code
            == 201
        )
        assert BusyCalendar.objects.get().ics_url == SECRET

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"ics_url": "calendar.ics"}, "ics_url"),
            ({"ics_url": "file:///etc/passwd"}, "ics_url"),
            ({"ics_url": "https://169.254.169.254/a.ics"}, "ics_url"),
            ({"ics_url": WITH_PASSWORD}, "ics_url"),
            ({"ics_url": ""}, "ics_url"),
            ({"ics_url": "https://" + "x" * 2050}, "ics_url"),
            ({"staff_id": None}, "staff_id"),
            ({"status": "current"}, "status"),
        ),
    )
    def test_rejects_bad_values_by_field(self, client, new, change, field):
        response = client.post(URL, new | change)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
        assert not BusyCalendar.objects.exists()

    def test_is_limited_per_person(self, client, new, person):
        for _ in range(5):
            factories.make_busy_calendar(person)
        response = client.post(URL, new)
        assert (response.status_code, list(response.json()["errors"])) == (422, ["staff_id"])


class TestDelete:
    def test_frees_what_it_blocked(self, client, person):
        calendar = factories.make_busy_calendar(person)
        CalendarBusyTime.objects.create(
            business=person.business, staff=person, calendar=calendar,
            start_time=timezone.now(), end_time=timezone.now() + timedelta(hours=1),
        )  # fmt: skip
        path = f"{URL}/{calendar.pk}"
        assert client.delete(path, headers={"If-Match": '"other"'}).status_code == 412
        shown = client.get(path).json()["data"]
        response = client.delete(path)
        assert (response.status_code, response.json()["data"]) == (200, shown)
        assert not CalendarBusyTime.objects.exists()
        assert client.delete(path).status_code == 404


class TestList:
    def test_is_filtered_by_staff_and_scoped(self, client, client_of, business, person, new):
        mine = factories.make_busy_calendar(person)
        factories.make_busy_calendar(factories.make_staff(business))
        found = client.get(URL, {"staff_id": person.pk}).json()["data"]
        assert [one["id"] for one in found] == [mine.pk]
        reader = client_of(factories.make_key(business, scopes=["staff:read"]))
        assert len(reader.get(URL).json()["data"]) == 2
        assert reader.post(URL, new).json()["meta"]["required_scope"] == "staff:write"


class TestAdmin:
    @pytest.fixture
    def owner(self, business):
        client = Client()
        client.force_login(factories.make_user(business))
        return client

    def test_adds_shows_reads_again_and_removes(self, owner, person):
        page = f"/admin/staff/staffmember/{person.pk}"
        bad = owner.post(f"{page}/act/add-calendar/", {"ics_url": "file:///x"})
        assert "must begin with https://" in bad.content.decode()
        added = owner.post(f"{page}/act/add-calendar/", {"ics_url": SECRET}, follow=True)
        text = added.content.decode()
        assert "private-9f2c41" not in text
        assert all(words in text for words in ("https://93.184.215.14/….ics", "Unread"))
        calendar = BusyCalendar.objects.get()
        BusyCalendar.objects.update(
            failing_since=timezone.now(), last_read_at=timezone.now(), problem="It broke.",
            next_poll_at=timezone.now() + timedelta(hours=6),
        )  # fmt: skip
        text = owner.get(f"{page}/change/").content.decode()
        assert all(words in text for words in ("Stale", "It broke."))
        owner.post(f"{page}/act/read-calendars/", {})
        calendar.refresh_from_db()
        assert calendar.next_poll_at <= timezone.now()
        inlines = ("working_hours", "breaks", "date_overrides", "time_off", "feeds")
        form = {"business": person.business_id, "name": "Meera", "is_active": "on"}
        for prefix in inlines:
            form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
        form |= {
            "busy_calendars-TOTAL_FORMS": 1, "busy_calendars-INITIAL_FORMS": 1,
            "busy_calendars-0-id": calendar.pk, "busy_calendars-0-staff": person.pk,
            "busy_calendars-0-DELETE": "on",
        }  # fmt: skip
        assert owner.post(f"{page}/change/", form).status_code == 302
        assert not BusyCalendar.objects.exists()
        assert "busy_calendar.removed" in AuditEntry.objects.values_list("action", flat=True)
