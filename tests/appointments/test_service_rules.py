"""Booking rules of one service: notice, horizon, daily cap, and the windows of changes."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment
from kaivox.businesses.auth.scopes import ALL_SCOPES, OVERRIDE_SCOPE
from kaivox.businesses.models import Business
from services.models import Service
from tests import factories
from tests.appointments.conftest import event_types, times

URL = "/api/v1/appointments"
SLOTS = f"{URL}/slots"


class TestNoticeAndHorizon:
    @pytest.mark.parametrize(
        ("of_business", "of_service", "day", "code"),
        (
            ({"minimum_notice_minutes": 600}, {"minimum_notice_minutes": 0}, "2026-03-02", None),
            ({}, {"minimum_notice_minutes": 300}, "2026-03-02", "too_soon"),
            ({"horizon_days": 1}, {"horizon_days": 3}, "2026-03-04", None),
            ({}, {"horizon_days": 1}, "2026-03-04", "too_far_ahead"),
        ),
    )
    def test_are_the_services_own_before_those_of_the_business(
        self, client, clinic, of_business, of_service, day, code
    ):
        """The clock shows 06:00."""
        Business.objects.update(**of_business)
        Service.objects.update(**of_service)
        is_slot = "10:00" in times(client.get(SLOTS, clinic.slots(date=day)))
        assert is_slot == (code is None)
        hold = clinic.booking("10:00", day)
        del hold["customer_id"]
        for path, body in ((f"{URL}/holds", hold), (URL, clinic.booking("10:30", day))):
            assert client.post(path, body).json().get("code") == code

    def test_of_another_service_do_not_apply(self, client, clinic):
        factories.make_service(clinic.business, minimum_notice_minutes=300, horizon_days=1)
        assert client.post(URL, clinic.booking()).status_code == 201

    @pytest.mark.parametrize(
        ("values", "number"),
        (({"minimum_notice_minutes": 300}, "300 minutes"), ({"horizon_days": 7}, "7 days")),
    )
    def test_are_named_in_errors(self, client, clinic, values, number):
        Service.objects.update(**values)
        day = "2026-03-30" if "horizon_days" in values else "2026-03-02"
        assert number in client.post(URL, clinic.booking("10:00", day)).json()["message"]


class TestDailyCap:
    @pytest.fixture
    def second(self, clinic):
        Service.objects.update(daily_cap=2)
        return factories.make_staff(clinic.business, services=[clinic.service])

    def test_counts_everyones_appointments_and_open_holds(self, client, clinic, second, frozen):
        first = client.post(URL, clinic.booking("09:00", staff_id=clinic.staff.pk)).json()["data"]
        hold = clinic.booking("10:00", staff_id=second.pk)
        del hold["customer_id"]
        held = client.post(f"{URL}/holds", hold).json()["data"]
        response = client.get(SLOTS, clinic.slots()).json()
        assert (response["data"], response["meta"]["reasons"]) == (
            [],
            {"2026-03-02": "fully_booked"},
        )
        assert response["meta"]["next_available"]["date"] == "2026-03-03"
        for staff in ({}, {"staff_id": clinic.staff.pk}, {"staff_id": second.pk}):
            refused = client.post(URL, clinic.booking("12:00", **staff)).json()
            assert refused["code"] == "slot_unavailable"
            assert refused["meta"]["alternatives"][0]["date"] == "2026-03-03"
        assert client.post(URL, clinic.booking("12:00", "2026-03-03")).status_code == 201
        # A move within the day and the hold's own booking need no further place.
        moved = client.patch(f"{URL}/{first['id']}", {"start_time": "2026-03-02T09:00:00Z"})
        assert moved.status_code == 200
        query = clinic.slots(exclude_appointment_id=first["id"])
        assert times(client.get(SLOTS, query))
        assert client.post(URL, clinic.booking("10:00", hold_id=held["id"])).status_code == 201
        client.delete(f"{URL}/{first['id']}")
        assert client.post(URL, clinic.booking("12:00")).status_code == 201
        assert not times(client.get(SLOTS, clinic.slots()))

    def test_leaves_other_services_and_ended_holds_out(self, client, clinic, second, frozen):
        other = factories.make_service(clinic.business)
        clinic.staff.services.add(other)
        for clock in ("09:00", "10:00"):
            client.post(URL, clinic.booking(clock, service_id=other.pk))
            hold = clinic.booking(clock, staff_id=second.pk)
            del hold["customer_id"]
            assert client.post(f"{URL}/holds", hold).status_code == 201
        assert not times(client.get(SLOTS, clinic.slots()))
        frozen.shift(timedelta(minutes=6))
        assert client.post(URL, clinic.booking("09:00")).status_code == 201

    def test_costs_one_query_and_nothing_without_it(self, client, clinic):
        client.get(SLOTS, clinic.slots())
        counts = []
        for cap in (None, 5):
            Service.objects.update(daily_cap=cap)
            with CaptureQueriesContext(connection) as queries:
                client.get(SLOTS, clinic.slots())
            counts.append(len(queries))
        assert counts[1] == counts[0] + 1


class TestWindows:
    """The appointment is at 10:00 local time, 04:30 UTC; the clock shows 06:00 local time."""

    CANCEL = ("PATCH", {"status": "cancelled"})
    DELETE = ("DELETE", {})
    MOVE = ("PATCH", {"start_time": "2026-03-03T04:30:00Z"})

    @pytest.fixture
    def url(self, client, clinic):
        return f"{URL}/{client.post(URL, clinic.booking()).json()['data']['id']}"

    def send(self, client, url, change):
        method, body = change
        return client.generic(method, url, json.dumps(body), "application/json")

    @pytest.mark.parametrize(
        ("field", "changes", "others"),
        (
            ("cancellation_window_minutes", (CANCEL, DELETE), (MOVE,)),
            ("reschedule_window_minutes", (MOVE,), (DELETE,)),
        ),
    )
    def test_reject_the_change_after_them(self, client, clinic, url, field, changes, others):
        Service.objects.update(**{field: 241})
        before = client.get(url).json()["data"]
        for change in changes:
            response = self.send(client, url, change)
            error = response.json()
            assert (response.status_code, error["code"]) == (409, "too_late_to_change")
            assert "241 minutes" in error["message"]
            assert error["meta"]["required_scope"] == OVERRIDE_SCOPE
            assert "alternatives" not in error["meta"]
        assert client.get(url).json()["data"] == before
        assert event_types() == ["appointment.booked"]
        for change in others:
            assert self.send(client, url, change).status_code == 200

    @pytest.mark.parametrize("change", (CANCEL, DELETE, MOVE))
    def test_include_their_last_minute(self, client, url, change):
        Service.objects.update(cancellation_window_minutes=240, reschedule_window_minutes=240)
        assert self.send(client, url, change).status_code == 200

    @pytest.mark.parametrize("change", (CANCEL, DELETE, MOVE))
    def test_do_not_hold_for_a_key_with_the_scope(self, business, client_of, url, change):
        Service.objects.update(cancellation_window_minutes=999, reschedule_window_minutes=999)
        client = client_of(factories.make_key(business, scopes=[*ALL_SCOPES, OVERRIDE_SCOPE]))
        assert self.send(client, url, change).status_code == 200

    def test_let_texts_and_what_changes_nothing_pass(self, client, url, frozen):
        Service.objects.update(cancellation_window_minutes=999, reschedule_window_minutes=999)
        whole = client.get(url).json()["data"] | {"notes": "Has called"}
        assert client.patch(url, whole).status_code == 200
        assert client.patch(url, {"start_time": whole["start_time"]}).status_code == 200
        frozen.shift(timedelta(hours=5))
        assert client.patch(url, {"status": "no_show"}).status_code == 200

    def test_zero_is_until_it_begins(self, client, url, frozen):
        Service.objects.update(cancellation_window_minutes=0)
        frozen.shift(timedelta(hours=4, seconds=1))
        assert self.send(client, url, self.CANCEL).json()["code"] == "too_late_to_change"

    def test_of_the_new_service_do_not_stop_the_change_to_it(self, client, clinic, url):
        other = factories.make_service(clinic.business, reschedule_window_minutes=999)
        clinic.staff.services.add(other)
        assert client.patch(url, {"service_id": other.pk}).status_code == 200
        assert client.patch(url, {"service_id": clinic.service.pk}).status_code == 409

    def test_do_not_tell_the_time_to_a_key_that_cannot_read(self, business, client_of, url):
        Service.objects.update(cancellation_window_minutes=999)
        client = client_of(factories.make_key(business, scopes=["appointments:write"]))
        text = client.delete(url).content.decode()
        assert "too_late_to_change" in text
        assert "2026-03-02" not in text

    def test_do_not_hold_for_people_in_the_admin(self, business, url):
        Service.objects.update(cancellation_window_minutes=999, reschedule_window_minutes=999)
        staff = Client()
        staff.force_login(factories.make_user(business, role="staff"))
        appointment = Appointment.objects.get()
        page = f"/admin/appointments/appointment/{appointment.pk}/act"
        form = {"day": "2026-03-02", "time": "11:00", "staff": appointment.staff_id}
        assert staff.post(f"{page}/move/", form).status_code == 302
        assert staff.post(f"{page}/cancel/", {}).status_code == 302
        assert event_types()[1:] == ["appointment.rescheduled", "appointment.cancelled"]
