"""POST /appointments: bookings and errors."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from appointments.models import Appointment
from customers.operations import erase_customer
from kaivox.businesses.models import Business
from services.models import Service
from staff.models import Break, Closure, DateOverride, StaffMember, TimeOff
from tests import factories
from tests.appointments.conftest import NOW, event_types
from tests.factories import minutes_of
from webhooks.models import Event

URL = "/api/v1/appointments"


class TestBook:
    def test_responds_with_the_appointment(self, client, clinic):
        response = client.post(URL, clinic.booking(notes="First visit", metadata={"crm": "7"}))
        assert response.status_code == 201
        data = response.json()["data"]
        assert response["Location"].endswith(f"/api/v1/appointments/{data['id']}")
        assert data == {"party_size": 1, "resource_ids": []} | {
            "id": data["id"],
            "customer_id": clinic.customer.pk,
            "customer_name": "Asha Rao",
            "service_id": clinic.service.pk,
            "service": "Cleaning",
            "staff_id": clinic.staff.pk,
            "staff_name": "Dr. Meera Nair",
            "start_time": "2026-03-02T04:30:00Z",
            "end_time": "2026-03-02T05:00:00Z",
            "appointment_date": "2026-03-02",
            "appointment_time": "10:00",
            "timezone": "Asia/Kolkata",
            "duration_minutes": 30,
            "price": "1200.00",
            "currency": "INR",
            "status": "scheduled",
            "confirmation": "none",
            "source": "api",
            "notes": "First visit",
            "cancellation_reason": "",
            **dict.fromkeys(("call_id", "series_id", "visit_id")),
            "metadata": {"crm": "7"},
            "created_at": "2026-03-02T00:30:00Z",
            "updated_at": "2026-03-02T00:30:00Z",
        }

    def test_records_an_event_of_the_same_shape(self, client, clinic):
        data = client.post(URL, clinic.booking()).json()["data"]
        event = Event.objects.get()
        assert event.type == "appointment.booked"
        assert json.loads(bytes(event.body))["data"] == data

    def test_counts_for_the_customer(self, client, clinic):
        client.post(URL, clinic.booking())
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_appointments == 1
        assert clinic.customer.last_booked_at == NOW
        assert clinic.customer.segment == "active"
        assert clinic.customer.pipeline_stage == "appointment_set"

    @pytest.mark.parametrize(
        "start", ("2026-03-02T10:07:00+05:30", "2026-03-02T04:37:00Z", "20260302T043700Z")
    )
    def test_accepts_an_instant_at_any_minute(self, client, clinic, start):
        body = clinic.booking()
        del body["appointment_date"], body["appointment_time"]
        response = client.post(URL, body | {"start_time": start})
        assert response.json()["data"]["appointment_time"] == "10:07"

    def test_accepts_an_hour_of_one_digit(self, client, clinic):
        response = client.post(URL, clinic.booking("9:30"))
        assert response.json()["data"]["appointment_time"] == "09:30"

    def test_accepts_a_local_time_of_another_zone(self, client, clinic):
        response = client.post(URL, clinic.booking("10:00", timezone="Asia/Singapore"))
        # 10:00 in Singapore is 07:30 in Kolkata.
        assert response.json()["code"] == "outside_working_hours"
        response = client.post(URL, clinic.booking("12:00", timezone="Asia/Singapore"))
        assert response.json()["data"]["appointment_time"] == "09:30"

    def test_is_not_changed_with_the_service(self, client, clinic):
        data = client.post(URL, clinic.booking()).json()["data"]
        Service.objects.update(price=9999, duration_minutes=90)
        again = client.get(f"{URL}/{data['id']}").json()["data"]
        assert (again["price"], again["duration_minutes"]) == ("1200.00", 30)


class TestAnyStaff:
    @pytest.fixture
    def others(self, clinic) -> list[StaffMember]:
        return [factories.make_staff(clinic.business, services=[clinic.service]) for _ in range(2)]

    def test_chooses_the_one_with_the_fewest_appointments_that_day(self, client, clinic, others):
        first = [client.post(URL, clinic.booking("10:00")).json()["data"] for _ in range(3)]
        assert [one["staff_id"] for one in first] == [clinic.staff.pk, *(o.pk for o in others)]
        client.post(URL, clinic.booking("11:00", staff_id=clinic.staff.pk))
        answer = client.post(URL, clinic.booking("12:00", staff_id=None))
        assert answer.json()["data"]["staff_id"] == others[0].pk

    def test_counts_that_day_only_and_nothing_cancelled(self, client, clinic, others):
        for day, clock in (("2026-03-03", "10:00"), ("2026-03-03", "11:00")):
            client.post(URL, clinic.booking(clock, day, staff_id=clinic.staff.pk))
        gone = client.post(URL, clinic.booking("09:00", staff_id=clinic.staff.pk)).json()["data"]
        client.delete(f"{URL}/{gone['id']}")
        answer = client.post(URL, clinic.booking("12:00"))
        assert answer.json()["data"]["staff_id"] == clinic.staff.pk

    def test_rejects_only_when_all_are_busy(self, client, clinic, others):
        answers = [client.post(URL, clinic.booking()).status_code for _ in range(4)]
        assert answers == [201, 201, 201, 409]

    def test_skips_those_who_do_not_offer_it_or_are_inactive(self, client, clinic, others):
        others[0].services.clear()
        StaffMember.objects.filter(pk=clinic.staff.pk).update(is_active=False)
        answer = client.post(URL, clinic.booking())
        assert answer.json()["data"]["staff_id"] == others[1].pk

    def test_names_the_reason_closest_to_bookable(self, client, clinic, others):
        for person in others:
            person.working_hours.all().delete()
        client.post(URL, clinic.booking())
        assert client.post(URL, clinic.booking()).json()["code"] == "slot_unavailable"

    def test_rejects_a_service_that_no_one_offers(self, client, clinic):
        clinic.staff.services.clear()
        answer = client.post(URL, clinic.booking())
        assert (answer.status_code, answer.json()["code"]) == (422, "staff_not_qualified")


class TestErrors:
    def check_error(self, client, body, status, code, field=None):
        response = client.post(URL, body)
        assert (response.status_code, response.json()["code"]) == (status, code), response.json()
        if field:
            assert field in response.json()["errors"]
        assert not Appointment.objects.filter(source="api").exists()
        assert event_types() == []

    def test_a_busy_time(self, client, clinic):
        factories.make_appointment(
            service=clinic.service,
            staff=clinic.staff,
            start_time=NOW + timedelta(hours=4),
            source="old",
        )
        for clock in ("09:31", "10:00", "10:29"):
            body = clinic.booking(clock, staff_id=clinic.staff.pk)
            self.check_error(client, body, 409, "slot_unavailable")

    def test_an_erased_customer(self, client, clinic):
        erase_customer(business=clinic.business, customer_id=clinic.customer.pk, now=NOW)
        Event.objects.all().delete()
        self.check_error(client, clinic.booking(), 409, "customer_erased", "customer_id")

    @pytest.mark.parametrize("clock", ("08:59", "16:31", "17:00", "23:59", "00:00"))
    def test_a_time_outside_hours(self, client, clinic, clock):
        self.check_error(client, clinic.booking(clock, "2026-03-03"), 422, "outside_working_hours")

    @pytest.mark.parametrize("clock", ("12:31", "13:00", "13:59"))
    def test_a_time_in_a_break(self, client, clinic, clock):
        for weekday in range(7):
            Break.objects.create(
                business=clinic.business,
                staff=clinic.staff,
                weekday=weekday,
                **minutes_of("13:00-14:00"),
            )
        self.check_error(client, clinic.booking(clock), 422, "outside_working_hours")

    def test_time_off(self, client, clinic):
        TimeOff.objects.create(
            business=clinic.business,
            staff=clinic.staff,
            start_time=NOW + timedelta(hours=4, minutes=29),
            end_time=NOW + timedelta(hours=5),
        )
        self.check_error(client, clinic.booking("10:00"), 422, "outside_working_hours")

    def test_a_holiday(self, client, clinic):
        Closure.objects.create(
            business=clinic.business,
            first_date="2026-03-03",
            last_date="2026-03-04",
            reason="Holi",
        )
        body = clinic.booking("10:00", "2026-03-04")
        self.check_error(client, body, 422, "outside_working_hours")

    def test_a_day_with_other_hours(self, client, clinic):
        DateOverride.objects.create(
            business=clinic.business,
            staff=clinic.staff,
            date="2026-03-03",
            **minutes_of("15:00-16:00"),
        )
        body = clinic.booking("10:00", "2026-03-03")
        self.check_error(client, body, 422, "outside_working_hours")

    def test_the_past(self, client, clinic):
        self.check_error(client, clinic.booking("05:59"), 422, "in_the_past", "start_time")

    def test_less_than_the_notice(self, client, clinic):
        Business.objects.update(minimum_notice_minutes=241)
        self.check_error(client, clinic.booking("10:00"), 422, "too_soon")

    def test_more_than_the_horizon(self, client, clinic):
        Business.objects.update(horizon_days=30)
        self.check_error(client, clinic.booking("10:00", "2026-04-02"), 422, "too_far_ahead")
        assert client.post(URL, clinic.booking("10:00", "2026-04-01")).status_code == 201

    def test_staff_who_does_not_offer_the_service(self, client, clinic):
        other = factories.make_staff(clinic.business)
        body = clinic.booking(staff_id=other.pk)
        self.check_error(client, body, 422, "staff_not_qualified", "staff_id")

    def test_inactive_staff_and_services(self, client, clinic):
        StaffMember.objects.update(is_active=False)
        body = clinic.booking(staff_id=clinic.staff.pk)
        self.check_error(client, body, 422, "inactive", "staff_id")
        Service.objects.update(is_active=False)
        self.check_error(client, clinic.booking(), 422, "inactive", "service_id")

    def test_more_than_the_daily_cap(self, client, clinic):
        Business.objects.update(daily_cap_per_staff=1)
        factories.make_appointment(
            service=clinic.service,
            staff=clinic.staff,
            start_time=NOW + timedelta(hours=6),
            source="old",
        )
        self.check_error(client, clinic.booking(), 409, "slot_unavailable")
        assert client.post(URL, clinic.booking("10:00", "2026-03-03")).status_code == 201

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"appointment_time": "24:30"}, "appointment_time"),
            ({"appointment_time": "24:00"}, "appointment_time"),
            ({"appointment_time": "09:3\uff10"}, "appointment_time"),
            ({"appointment_time": "\u0660\u0669:30"}, "appointment_time"),
            ({"timezone": "localtime"}, "timezone"),
            ({"appointment_date": "2026-02-30"}, "appointment_date"),
            ({"appointment_date": "0001-01-01"}, "appointment_date"),
            ({"appointment_date": "9999-12-31"}, "appointment_date"),
            ({"appointment_date": None}, "appointment_date"),
            ({"timezone": "Mars/Olympus"}, "timezone"),
            ({"timezone": "../../etc/passwd"}, "timezone"),
            ({"timezone": 5}, "timezone"),
            ({"start_time": "2026-03-02T10:00:00+05:30"}, "start_time"),
            ({"customer_id": 2**63}, "customer_id"),
            ({"customer_id": 999_999}, "customer_id"),
            ({"customer_id": True}, "customer_id"),
            ({"service_id": "1"}, "service_id"),
            ({"staff_id": 0}, "staff_id"),
            ({"call_id": 77}, "call_id"),
            ({"hold_id": 77}, "hold_id"),
            ({"source": "x" * 41}, "source"),
            ({"notes": 5}, "notes"),
            ({"metadata": {"a": 1}}, "metadata"),
            ({"metadata": {"a" * 41: "1"}}, "metadata"),
            ({"staff": 1}, "staff"),
            ({"status": "completed"}, "status"),
        ),
    )
    def test_what_cannot_be_read(self, client, clinic, change, field):
        self.check_error(client, clinic.booking() | change, 422, "validation_error", field)

    @pytest.mark.parametrize(
        ("start", "field"),
        (
            ({}, "start_time"),
            ({"appointment_date": "2026-03-02"}, "appointment_time"),
            ({"appointment_time": "10:00"}, "appointment_date"),
            ({"start_time": "2026-03-02T10:00:00"}, "start_time"),
            ({"start_time": "2026-03-02T10:00:30Z"}, "start_time"),
            ({"start_time": "2026-13-02T10:00:00Z"}, "start_time"),
            ({"start_time": 1772409600}, "start_time"),
            ({"start_time": "9999-12-31T23:59:59-12:00"}, "start_time"),
        ),
    )
    def test_a_start_that_is_none(self, client, clinic, start, field):
        body = {"customer_id": clinic.customer.pk, "service_id": clinic.service.pk}
        self.check_error(client, body | start, 422, "validation_error", field)

    @pytest.mark.parametrize("field", ("customer_id", "service_id", "staff_id"))
    def test_what_belongs_to_another_business(self, client, clinic, other_business, field):
        service = factories.make_service(other_business)
        theirs = {
            "customer_id": factories.make_customer(other_business).pk,
            "service_id": service.pk,
            "staff_id": factories.make_staff(other_business, services=[service]).pk,
        }
        body = clinic.booking() | {field: theirs[field]}
        self.check_error(client, body, 422, "validation_error", field)


class TestDaylightSaving:
    """The same local time on the two days on which clocks in New York change."""

    @pytest.fixture
    def night_shop(self, clinic):
        Business.objects.update(timezone="America/New_York")
        clinic.staff.working_hours.update(start_minute=0, end_minute=1440)
        return clinic

    def test_a_skipped_time_is_rejected(self, client, night_shop):
        response = client.post(URL, night_shop.booking("02:30", "2026-03-08"))
        assert (response.status_code, response.json()["code"]) == (422, "nonexistent_local_time")
        assert "appointment_time" in response.json()["errors"]

    def test_a_repeated_time_means_the_first(self, client, night_shop):
        response = client.post(URL, night_shop.booking("01:30", "2026-11-01"))
        assert response.json()["data"]["start_time"] == "2026-11-01T05:30:00Z"

    def test_an_offset_can_mean_the_second(self, client, night_shop):
        body = night_shop.booking()
        del body["appointment_date"], body["appointment_time"]
        response = client.post(URL, body | {"start_time": "2026-11-01T01:30:00-05:00"})
        assert response.json()["data"]["start_time"] == "2026-11-01T06:30:00Z"
        assert response.json()["data"]["appointment_time"] == "01:30"
