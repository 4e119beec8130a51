"""Admin of members of staff and closures: forms and their errors."""

from __future__ import annotations

import json
from datetime import date

import pytest
from django.test import Client

from staff.models import Closure, StaffMember, WorkingHours
from tests import factories
from webhooks.models import Event

pytestmark = pytest.mark.once_in_production

PEOPLE = "/admin/staff/staffmember"
CLOSURES = "/admin/staff/closure"


@pytest.fixture
def owner(business) -> Client:
    client = Client()
    client.force_login(factories.make_user(business))
    return client


def person_form(business, hours=(), breaks=(), overrides=(), **values) -> dict:
    form = {"business": business.pk, "name": "Meera", "is_active": "on", **values}
    inlines = {
        "working_hours": [("weekday", "start_minute", "end_minute"), hours],
        "breaks": [("weekday", "start_minute", "end_minute"), breaks],
        "date_overrides": [("date", "start_minute", "end_minute"), overrides],
        "time_off": [("start_time_0", "start_time_1", "end_time_0", "end_time_1", "reason"), ()],
    }
    for prefix, (columns, rows) in inlines.items():
        form |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        for place, row in enumerate(rows):
            named = zip(columns, row, strict=True)
            form |= {f"{prefix}-{place}-{name}": value for name, value in named}
    return form


def test_closures_and_waiting_entries_have_one_format_of_dates(owner, business):
    day = date(2026, 12, 25)
    Closure.objects.create(business=business, first_date=day, last_date=day, reason="Christmas")
    entry = factories.make_waitlist_entry(business, date_from=day, date_to=day)
    page = owner.get(f"{CLOSURES}/").content.decode()
    assert page.count("Fri 25 Dec 2026<") == 2  # whole days, so without times
    for path in (
        f"{CLOSURES}/{Closure.objects.get().pk}",
        f"/admin/appointments/waitlistentry/{entry.pk}",
    ):
        breadcrumb = owner.get(f"{path}/change/").content.decode().partition("<h1>")[0]
        assert "25 Dec 2026" in breadcrumb
        assert "2026-12-25" not in breadcrumb


class TestStaffMember:
    def test_is_created_with_hours(self, owner, business):
        service = factories.make_service(business)
        form = person_form(
            business,
            hours=[(0, "09:00", "17:00"), (5, "20:00", "24:00")],
            breaks=[(0, "12:00", "13:00")],
            services=[service.pk],
        )
        response = owner.post(f"{PEOPLE}/add/", form)
        assert response.status_code == 302, response.context["errors"]
        person = StaffMember.objects.get()
        assert list(person.services.all()) == [service]
        hours = person.working_hours.order_by("weekday").values_list("start_minute", "end_minute")
        assert list(hours) == [(540, 1020), (1200, 1440)]
        assert list(Event.objects.values_list("type", flat=True)) == ["staff.updated"]
        assert b'value="24:00"' in owner.get(f"{PEOPLE}/{person.pk}/change/").content

    def test_that_is_changed_records_one_event(self, owner, business):
        person = factories.make_staff(business, name="Meera", hours={})
        form = person_form(business)
        for prefix in ("feeds", "busy_calendars"):
            form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
        page = f"{PEOPLE}/{person.pk}/change/"
        assert owner.post(page, form).status_code == 302
        assert not Event.objects.exists()
        for count, change in enumerate(({"specialty": "Dentist"}, {"is_active": ""}), start=1):
            form |= change
            assert owner.post(page, form).status_code == 302
            assert Event.objects.filter(type="staff.updated").count() == count
        rows = person_form(business, hours=[(0, "09:00", "17:00")])
        assert owner.post(page, rows | form | {"working_hours-TOTAL_FORMS": 1}).status_code == 302
        assert Event.objects.count() == 3
        assert json.loads(Event.objects.latest("pk").body)["data"]["working_hours"]

    @pytest.mark.parametrize(
        ("rows", "words"),
        (
            ({"hours": [(0, "09:00", "17:00"), (0, "16:00", "18:00")]}, "overlap"),
            ({"hours": [(0, "09:00", "08:00")]}, "Hours end after they start"),
            ({"hours": [(0, "09:00", "24:30")]}, "from 00:00 to 24:00"),
            (
                {"hours": [(0, "09:00", "12:00")], "breaks": [(0, "11:30", "12:30")]},
                "outside the working hours",
            ),
            ({"overrides": [("2026-02-30", "", "")]}, "Enter a valid date"),
            ({"overrides": [("2026-03-02", "09:00", "")]}, "Give both times"),
            (
                {"overrides": [("2026-03-02", "", ""), ("2026-03-02", "09:00", "10:00")]},
                "is a day off and has other rows too",
            ),
        ),
    )
    def test_with_impossible_hours_is_rejected_in_the_form(self, owner, business, rows, words):
        response = owner.post(f"{PEOPLE}/add/", person_form(business, **rows))
        assert response.status_code == 200
        assert words in response.content.decode()
        assert not StaffMember.objects.exists()
        assert not WorkingHours.objects.exists()

    def test_of_another_business_is_not_found(self, owner, other_business):
        theirs = factories.make_staff(other_business, name="Their dentist")
        assert owner.get(f"{PEOPLE}/{theirs.pk}/change/").status_code == 302
        assert "Their dentist" not in owner.get(f"{PEOPLE}/").content.decode()

    def test_cannot_offer_a_service_of_another_business(self, owner, business, other_business):
        service = factories.make_service(other_business)
        response = owner.post(f"{PEOPLE}/add/", person_form(business, services=[service.pk]))
        assert response.status_code == 200
        assert not StaffMember.objects.exists()


class TestClosure:
    FORM = {
        "kind": "emergency",
        "reason": "Water pipe",
        "first_date": "2026-03-02",
        "from_minute": "14:00",
        "last_date": "2026-03-02",
        "until_minute": "18:00",
    }

    def test_is_created_changed_and_removed(self, owner, business):
        form = self.FORM | {"business": business.pk}
        assert owner.post(f"{CLOSURES}/add/", form).status_code == 302
        closure = Closure.objects.get()
        assert (closure.from_minute, closure.until_minute) == (840, 1080)
        assert b"Mon 2 Mar 2026, 14:00" in owner.get(f"{CLOSURES}/").content
        page = f"{CLOSURES}/{closure.pk}"
        owner.post(f"{page}/change/", form | {"until_minute": "24:00"})
        closure.refresh_from_db()
        assert closure.until_minute == 1440
        owner.post(f"{page}/change/", form | {"until_minute": "24:00"})  # changes nothing
        owner.post(f"{page}/delete/", {"post": "yes"})
        assert not Closure.objects.exists()
        events = Event.objects.order_by("pk")
        recorded = [(one.type, json.loads(one.body)["data"]["until_time"]) for one in events]
        assert recorded == [
            ("closure.created", "18:00"),
            ("closure.removed", "18:00"),
            ("closure.created", "24:00"),
            ("closure.removed", "24:00"),
        ]

    @pytest.mark.parametrize(
        "change", ({"until_minute": "14:00"}, {"last_date": "2026-03-01"}, {"reason": ""})
    )
    def test_that_is_contradictory_is_rejected_in_the_form(self, owner, business, change):
        form = self.FORM | {"business": business.pk} | change
        response = owner.post(f"{CLOSURES}/add/", form)
        assert response.status_code == 200
        assert response.context["errors"]
        assert not Closure.objects.exists()


class TestCopyWeekday:
    def test_replaces_the_hours_of_the_chosen_days(self, owner, business):
        person = factories.make_staff(business, hours={0: ["09:00-17:00"], 2: ["10:00-12:00"]})
        page = f"{PEOPLE}/{person.pk}/act/copy-day/"
        response = owner.post(page, {"source": "0", "targets": ["0", "1", "2"]}, follow=True)
        assert "Tuesday, Wednesday: now the hours of Monday." in response.content.decode()
        assert set(person.working_hours.values_list("weekday", "start_minute", "end_minute")) == {
            (weekday, 540, 1020) for weekday in range(3)
        }

    def test_needs_another_day(self, owner, business):
        person = factories.make_staff(business)
        page = f"{PEOPLE}/{person.pk}/act/copy-day/"
        response = owner.post(page, {"source": "0", "targets": ["0"]})
        assert "Choose a day other than the one that is copied." in response.content.decode()
