"""The confirmation of an appointment: in the object, the list, PATCH and the admin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from appointments.models import Appointment, Confirmation
from kaivox.businesses.models import AuditEntry
from tests import factories
from tests.appointments.conftest import event_types

URL = "/api/v1/appointments"


@pytest.fixture
def url(client, clinic) -> str:
    return f"{URL}/{client.post(URL, clinic.booking()).json()['data']['id']}"


def confirmation_of(response) -> str:
    assert response.status_code == 200, response.json()
    return response.json()["data"]["confirmation"]


class TestPatch:
    @pytest.mark.parametrize("value", Confirmation.values)
    def test_sets_it_without_an_event(self, client, url, value):
        assert confirmation_of(client.patch(url, {"confirmation": value})) == value
        assert confirmation_of(client.get(url)) == value
        assert event_types() == ["appointment.booked"]
        changes = list(
            AuditEntry.objects.filter(action="appointment.changed").values_list(
                "changes", flat=True
            )
        )
        assert changes == ([] if value == "none" else [{"fields": ["confirmation"]}])

    def test_with_null_clears_it(self, client, url):
        client.patch(url, {"confirmation": "declined"})
        assert confirmation_of(client.patch(url, {"confirmation": None})) == "none"

    @pytest.mark.parametrize("value", ("yes", "", 1, True, ["confirmed"]))
    def test_rejects_other_values(self, client, url, value):
        response = client.patch(url, {"confirmation": value})
        assert (response.status_code, list(response.json()["errors"])) == (422, ["confirmation"])

    def test_of_one_that_is_not_scheduled_is_rejected(self, client, url):
        client.delete(url)
        response = client.patch(url, {"confirmation": "confirmed"})
        assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")
        assert confirmation_of(client.patch(url, {"confirmation": "none", "notes": "x"})) == "none"

    def test_comes_before_the_status(self, client, url, frozen):
        frozen.shift(timedelta(hours=5))
        data = client.patch(url, {"confirmation": "confirmed", "status": "completed"}).json()
        assert (data["data"]["confirmation"], data["data"]["status"]) == ("confirmed", "completed")

    def test_is_shown_to_a_key_that_cannot_read(self, business, client_of, url):
        client = client_of(factories.make_key(business, scopes=["appointments:write"]))
        data = client.patch(url, {"confirmation": "confirmed"}).json()["data"]
        assert data == {"id": int(url.rpartition("/")[2]), "confirmation": "confirmed"}

    def test_of_another_business_is_404(self, stranger, url):
        assert stranger.patch(url, {"confirmation": "confirmed"}).status_code == 404


class TestMove:
    @pytest.mark.parametrize(
        ("body", "left"),
        (
            ({"start_time": "2026-03-03T04:30:00Z"}, "none"),
            ({"start_time": "2026-03-03T04:30:00Z", "confirmation": "confirmed"}, "confirmed"),
            ({"notes": "Has called"}, "confirmed"),
        ),
    )
    def test_to_another_time_ends_it(self, client, url, body, left):
        client.patch(url, {"confirmation": "confirmed"})
        assert confirmation_of(client.patch(url, body)) == left

    def test_to_other_staff_keeps_it(self, client, clinic, url):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        client.patch(url, {"confirmation": "confirmed"})
        assert confirmation_of(client.patch(url, {"staff_id": other.pk})) == "confirmed"


class TestList:
    def test_is_filtered(self, client, clinic, url):
        client.patch(url, {"confirmation": "confirmed"})
        other = client.post(URL, clinic.booking("11:00")).json()["data"]["id"]
        first = int(url.rpartition("/")[2])
        for query, expected in (
            ("none", [other]),
            ("confirmed", [first]),
            ("confirmed,none", [first, other]),
            ("declined", []),
        ):
            rows = client.get(URL, {"confirmation": query}).json()["data"]
            assert [row["id"] for row in rows] == expected
        assert client.get(URL, {"confirmation": "maybe"}).status_code == 422


class TestAdmin:
    def test_sets_it_by_an_action(self, business, url):
        staff = Client()
        staff.force_login(factories.make_user(business, role="staff"))
        appointment = Appointment.objects.get()
        page = f"/admin/appointments/appointment/{appointment.pk}/act/confirmation/"
        assert staff.post(page, {"confirmation": "requested"}).status_code == 302
        appointment.refresh_from_db()
        assert appointment.confirmation == "requested"
        assert 'value="requested" selected' in staff.get(page).content.decode()
        listed = staff.get("/admin/appointments/appointment/?confirmation__exact=requested")
        assert f"/{appointment.pk}/change/" in listed.content.decode()


def test_the_database_accepts_no_other_value(clinic):
    appointment = factories.make_appointment(service=clinic.service, staff=clinic.staff)
    with (
        pytest.raises(IntegrityError, match="appointment_confirmation_known"),
        transaction.atomic(),
    ):
        Appointment.objects.filter(pk=appointment.pk).update(confirmation="maybe")
