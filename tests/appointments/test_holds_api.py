"""Holds: slots that are reserved for some minutes while a customer decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from appointments.models import Hold
from kaivox.businesses.models import Business
from tests import factories
from tests.appointments.conftest import NOW, event_types, times

APPOINTMENTS = "/api/v1/appointments"
URL = f"{APPOINTMENTS}/holds"
TEN = "2026-03-02T10:00:00+05:30"


@pytest.fixture
def wanted(clinic) -> dict:
    return {"service_id": clinic.service.pk, "start_time": TEN}


@pytest.fixture
def hold(client, wanted) -> dict:
    return client.post(URL, wanted).json()["data"]


class TestHold:
    def test_shows_what_is_held_and_until_when(self, client, clinic, wanted):
        response = client.post(URL, wanted)
        assert response.status_code == 201
        data = response.json()["data"]
        assert data == {
            "id": data["id"],
            "service_id": clinic.service.pk,
            "service": "Cleaning",
            "staff_id": clinic.staff.pk,
            "staff_name": "Dr. Meera Nair",
            "start_time": "2026-03-02T04:30:00Z",
            "end_time": "2026-03-02T05:00:00Z",
            "party_size": 1,
            "resource_ids": [],
            "expires_at": "2026-03-02T00:35:00Z",
            "created_at": "2026-03-02T00:30:00Z",
        }
        assert response["Location"] == f"http://testserver{URL}/{data['id']}"

    def test_blocks_its_time(self, client, clinic, hold, wanted):
        assert "10:00" not in times(client.get(f"{APPOINTMENTS}/slots", clinic.slots()))
        response = client.post(APPOINTMENTS, clinic.booking("10:15"))
        assert (response.status_code, response.json()["code"]) == (409, "slot_unavailable")
        assert client.post(URL, wanted).status_code == 409
        other = client.post(APPOINTMENTS, clinic.booking("11:00")).json()["data"]
        move = client.patch(f"{APPOINTMENTS}/{other['id']}", {"start_time": TEN})
        assert move.status_code == 409

    def test_ends_by_the_clock_alone(self, client, clinic, hold, frozen):
        frozen.shift(timedelta(minutes=5))
        assert Hold.objects.count() == 1
        assert "10:00" in times(client.get(f"{APPOINTMENTS}/slots", clinic.slots()))
        assert client.post(APPOINTMENTS, clinic.booking()).status_code == 201

    def test_does_not_block_other_people(self, client, clinic, hold):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        response = client.post(APPOINTMENTS, clinic.booking())
        assert response.json()["data"]["staff_id"] == other.pk

    def test_lasts_as_long_as_asked(self, client, wanted):
        data = client.post(URL, wanted | {"expires_in_seconds": 900}).json()["data"]
        assert data["expires_at"] == "2026-03-02T00:45:00Z"

    def test_deletes_those_that_ended_a_day_ago(self, client, hold, wanted, frozen):
        frozen.shift(timedelta(minutes=6))
        client.post(URL, wanted)
        assert Hold.objects.count() == 2
        frozen.shift(timedelta(days=1))
        client.post(URL, wanted | {"start_time": "2026-03-03T10:00:00+05:30"})
        assert not Hold.objects.filter(pk=hold["id"]).exists()
        assert Hold.objects.count() == 2

    def test_are_limited_by_key(self, client, clinic, wanted):
        responses = [
            client.post(URL, wanted | {"start_time": f"2026-03-{day:02}T10:00:00+05:30"})
            for day in range(3, 24)
        ]
        assert [response.status_code for response in responses] == [201] * 20 + [409]
        assert responses[-1].json()["code"] == "too_many_holds"
        other = APIClient()
        other.credentials(HTTP_X_API_KEY=factories.make_key(clinic.business))
        assert other.post(URL, wanted).status_code == 201

    def test_errors_offer_alternatives(self, client, clinic, hold, wanted):
        alternatives = client.post(URL, wanted).json()["meta"]["alternatives"]
        assert [slot["time"] for slot in alternatives] == ["10:30", "10:45", "11:00"]

    def test_records_no_event(self, client, hold):
        client.delete(f"{URL}/{hold['id']}")
        assert event_types() == []

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"expires_in_seconds": 59}, "expires_in_seconds"),
            ({"expires_in_seconds": 901}, "expires_in_seconds"),
            ({"expires_in_seconds": "300"}, "expires_in_seconds"),
            ({"service_id": None}, "service_id"),
            ({"start_time": None}, "start_time"),
            ({"customer_id": 1}, "customer_id"),
        ),
    )
    def test_rejects_what_it_cannot_read(self, client, wanted, change, field):
        response = client.post(URL, wanted | change)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])

    def test_applies_the_booking_rules(self, client, clinic, wanted):
        response = client.post(URL, wanted | {"start_time": "2026-03-02T20:00:00+05:30"})
        assert response.json()["code"] == "outside_working_hours"


class TestBookWithAHold:
    def test_uses_it_up(self, client, clinic, hold):
        body = clinic.booking(hold_id=hold["id"])
        assert client.post(APPOINTMENTS, body).status_code == 201
        assert not Hold.objects.exists()
        again = client.post(APPOINTMENTS, body)
        assert (again.status_code, list(again.json()["errors"])) == (422, ["hold_id"])

    def test_needs_no_time_of_its_own(self, client, clinic, hold):
        body = clinic.booking(hold_id=hold["id"])
        del body["appointment_date"], body["appointment_time"]
        data = client.post(APPOINTMENTS, body).json()["data"]
        assert (data["appointment_time"], data["staff_id"]) == ("10:00", clinic.staff.pk)

    def test_books_its_member_of_staff(self, client, clinic, hold):
        factories.make_staff(clinic.business, services=[clinic.service])
        # The fairest pick at 10:00 would be the other one: Dr. Nair has a patient at 12:00.
        client.post(APPOINTMENTS, clinic.booking("12:00", staff_id=clinic.staff.pk))
        data = client.post(APPOINTMENTS, clinic.booking(hold_id=hold["id"])).json()["data"]
        assert data["staff_id"] == clinic.staff.pk

    def test_that_has_ended_is_rejected_for_a_day(self, client, clinic, hold, wanted, frozen):
        for minutes in (5, 23 * 60):
            frozen.shift(timedelta(minutes=minutes))
            # Other holds of the same person, made meanwhile, change nothing.
            client.post(URL, wanted | {"start_time": "2026-03-03T12:00:00+05:30"})
            body = clinic.booking("10:00", "2026-03-03", hold_id=hold["id"])
            response = client.post(APPOINTMENTS, body)
            assert (response.status_code, response.json()["code"]) == (409, "hold_expired")

    @pytest.mark.parametrize("field", ("start_time", "service_id", "staff_id"))
    def test_for_something_else_is_rejected(self, client, clinic, hold, field):
        service = factories.make_service(clinic.business)
        other = factories.make_staff(clinic.business, services=[clinic.service, service])
        body = clinic.booking(hold_id=hold["id"])
        body |= {
            "start_time": {"appointment_time": "10:15"},
            "service_id": {"service_id": service.pk},
            "staff_id": {"staff_id": other.pk},
        }[field]
        response = client.post(APPOINTMENTS, body)
        assert (response.status_code, response.json()["code"]) == (409, "hold_mismatch")
        assert list(response.json()["errors"]) == [field]
        assert Hold.objects.exists()


class TestMoveWithAHold:
    @pytest.fixture
    def booked(self, client, clinic) -> str:
        """The URL of an appointment at 11:00."""
        appointment = client.post(APPOINTMENTS, clinic.booking("11:00")).json()["data"]
        return f"{APPOINTMENTS}/{appointment['id']}"

    @pytest.mark.parametrize("body", ({}, {"start_time": TEN}))
    def test_moves_to_its_slot_and_uses_it_up(self, client, hold, booked, body):
        response = client.patch(booked, body | {"hold_id": hold["id"]})
        assert response.status_code == 200
        assert response.json()["data"]["appointment_time"] == "10:00"
        assert not Hold.objects.exists()
        assert event_types() == ["appointment.booked", "appointment.rescheduled"]

    def test_moves_to_its_member_of_staff(self, client, clinic, booked, wanted):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        hold = client.post(URL, wanted | {"staff_id": other.pk}).json()["data"]
        data = client.patch(booked, {"hold_id": hold["id"]}).json()["data"]
        assert data["staff_id"] == other.pk

    def test_is_not_blocked_by_it_where_the_daily_cap_is_reached(
        self, client, clinic, booked, wanted
    ):
        Business.objects.update(daily_cap_per_staff=2)
        hold = client.post(URL, wanted).json()["data"]
        assert client.patch(booked, {"hold_id": hold["id"]}).status_code == 200

    def test_for_something_else_is_rejected(self, client, hold, booked):
        body = {"start_time": "2026-03-02T12:00:00+05:30", "hold_id": hold["id"]}
        response = client.patch(booked, body)
        assert (response.status_code, response.json()["code"]) == (409, "hold_mismatch")
        assert Hold.objects.exists()

    def test_that_has_ended_is_rejected(self, client, hold, booked, frozen):
        frozen.shift(timedelta(minutes=5))
        response = client.patch(booked, {"hold_id": hold["id"]})
        assert (response.status_code, response.json()["code"]) == (409, "hold_expired")


class TestRead:
    def test_shows_open_ones(self, client, hold, frozen):
        assert client.get(URL).json()["data"] == [hold]
        assert client.get(f"{URL}/{hold['id']}").json()["data"] == hold
        frozen.shift(timedelta(minutes=5))
        assert client.get(URL).json()["data"] == []
        assert client.get(f"{URL}/{hold['id']}").status_code == 404

    def test_of_another_business_is_404(self, stranger, hold):
        assert stranger.get(URL).json()["data"] == []
        assert stranger.get(f"{URL}/{hold['id']}").status_code == 404


class TestExtend:
    def test_counts_from_now(self, client, hold, frozen):
        frozen.shift(timedelta(minutes=4))
        response = client.patch(f"{URL}/{hold['id']}", {"expires_in_seconds": 600})
        assert response.json()["data"] == hold | {"expires_at": "2026-03-02T00:44:00Z"}
        frozen.shift(timedelta(minutes=9))
        assert client.get(f"{URL}/{hold['id']}").status_code == 200

    def test_of_one_that_has_ended_is_rejected(self, client, hold, frozen):
        frozen.shift(timedelta(minutes=5))
        response = client.patch(f"{URL}/{hold['id']}", {"expires_in_seconds": 600})
        assert (response.status_code, response.json()["code"]) == (409, "hold_expired")

    @pytest.mark.parametrize("body", ({}, {"expires_in_seconds": 901}, {"start_time": TEN}))
    def test_changes_nothing_else(self, client, hold, body):
        assert client.patch(f"{URL}/{hold['id']}", body).status_code == 422

    def test_of_another_version_is_rejected(self, client, hold):
        url = f"{URL}/{hold['id']}"
        tag = {"If-Match": client.get(url)["ETag"]}
        assert client.patch(url, {"expires_in_seconds": 60}, headers=tag).status_code == 200
        assert client.patch(url, {"expires_in_seconds": 60}, headers=tag).status_code == 412
        assert client.delete(url, headers=tag).status_code == 412

    def test_of_another_business_is_404(self, stranger, hold):
        response = stranger.patch(f"{URL}/{hold['id']}", {"expires_in_seconds": 600})
        assert response.status_code == 404


class TestRelease:
    def test_frees_the_time(self, client, clinic, hold):
        response = client.delete(f"{URL}/{hold['id']}")
        ended = hold | {"expires_at": "2026-03-02T00:30:00Z"}
        assert (response.status_code, response.json()["data"]) == (200, ended)
        assert client.post(APPOINTMENTS, clinic.booking()).status_code == 201
        again = client.delete(f"{URL}/{hold['id']}")
        assert (again.status_code, again.content) == (204, b"")

    def test_of_another_business_is_404(self, stranger, hold):
        assert stranger.delete(f"{URL}/{hold['id']}").status_code == 404
        assert Hold.objects.live(NOW).exists()
