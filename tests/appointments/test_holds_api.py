"""Holds: a time that nobody else can book while a caller makes up their mind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.models import Hold
from tests import factories
from tests.appointments.conftest import event_types, times

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
            "expires_at": "2026-03-02T00:35:00Z",
            "created_at": "2026-03-02T00:30:00Z",
        }

    def test_keeps_others_away(self, client, clinic, hold, wanted):
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

    def test_leaves_the_next_person_free(self, client, clinic, hold):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        response = client.post(APPOINTMENTS, clinic.booking())
        assert response.json()["data"]["staff_id"] == other.pk

    def test_lasts_as_long_as_asked(self, client, wanted):
        data = client.post(URL, wanted | {"expires_in_seconds": 900}).json()["data"]
        assert data["expires_at"] == "2026-03-02T00:45:00Z"

    def test_sweeps_what_has_ended(self, client, hold, wanted, frozen):
        frozen.shift(timedelta(minutes=6))
        client.post(URL, wanted)
        assert Hold.objects.count() == 1

    def test_tells_no_webhook(self, client, hold):
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
    def test_refuses_what_it_cannot_read(self, client, wanted, change, field):
        response = client.post(URL, wanted | change)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])

    def test_keeps_to_the_booking_rules(self, client, clinic, wanted):
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

    def test_books_whom_it_holds(self, client, clinic, hold):
        factories.make_staff(clinic.business, services=[clinic.service])
        # The fairest pick at 10:00 would be the other one: Dr. Nair has a patient at 12:00.
        client.post(APPOINTMENTS, clinic.booking("12:00", staff_id=clinic.staff.pk))
        data = client.post(APPOINTMENTS, clinic.booking(hold_id=hold["id"])).json()["data"]
        assert data["staff_id"] == clinic.staff.pk

    def test_that_has_ended_is_refused(self, client, clinic, hold, frozen):
        frozen.shift(timedelta(minutes=5))
        response = client.post(APPOINTMENTS, clinic.booking(hold_id=hold["id"]))
        assert (response.status_code, response.json()["code"]) == (409, "hold_expired")

    @pytest.mark.parametrize("field", ("start_time", "service_id", "staff_id"))
    def test_for_something_else_is_refused(self, client, clinic, hold, field):
        service = factories.make_service(clinic.business)
        other = factories.make_staff(clinic.business, services=[clinic.service, service])
        body = clinic.booking(hold_id=hold["id"])
        body |= {
            "start_time": {"appointment_time": "10:15"},
            "service_id": {"service_id": service.pk},
            "staff_id": {"staff_id": other.pk},
        }[field]
        response = client.post(APPOINTMENTS, body)
        assert (response.status_code, response.json()["code"]) == (422, "hold_mismatch")
        assert list(response.json()["errors"]) == [field]
        assert Hold.objects.exists()


class TestRelease:
    def test_frees_the_time(self, client, clinic, hold):
        response = client.delete(f"{URL}/{hold['id']}")
        assert (response.status_code, response.json()["data"]) == (200, hold)
        assert client.post(APPOINTMENTS, clinic.booking()).status_code == 201
        assert client.delete(f"{URL}/{hold['id']}").status_code == 404

    def test_of_another_business_is_404(self, stranger, hold):
        assert stranger.delete(f"{URL}/{hold['id']}").status_code == 404
        assert Hold.objects.exists()

    def test_is_all_that_can_be_done_with_one(self, client, hold):
        assert client.get(URL).status_code == 405
        assert client.get(f"{URL}/{hold['id']}").status_code == 405
