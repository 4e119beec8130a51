"""A scope does not grant access to the data of another one."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps

from kaivox.businesses.auth.scopes import ALL_SCOPES
from kaivox.businesses.models import ApiKey
from tests.factories import (
    make_appointment,
    make_call,
    make_customer,
    make_key,
    make_service,
    make_staff,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def with_scopes(business, client_of):
    """Makes a client whose key has just these scopes."""

    def make(*scopes):
        return client_of(make_key(business, scopes=list(scopes)))

    return make


@pytest.fixture
def appointment(business):
    return make_appointment(business, customer=make_customer(business, name="Asha Rao"))


class TestWritesWithoutRead:
    @pytest.mark.parametrize(
        ("scope", "path"),
        (("appointments", "appointments"), ("customers", "customers")),
    )
    def test_an_empty_patch_reads_nothing(self, with_scopes, appointment, scope, path):
        row = appointment if scope == "appointments" else appointment.customer
        response = with_scopes(f"{scope}:write").patch(f"/api/v1/{path}/{row.pk}", {})
        assert response.status_code == 200
        assert response.json()["data"] == {"id": row.pk}
        assert response.json()["meta"]["required_scope"] == f"{scope}:read"

    def test_a_patch_shows_what_it_wrote(self, with_scopes, appointment):
        client = with_scopes("appointments:write")
        response = client.patch(f"/api/v1/appointments/{appointment.pk}", {"notes": "Late."})
        assert response.json()["data"] == {"id": appointment.pk, "notes": "Late."}

    @pytest.mark.parametrize("guess", ("0.00", "12.50"))
    def test_a_patch_does_not_tell_whether_a_guess_is_right(self, business, with_scopes, guess):
        customer = make_customer(business, total_spent="12.50")
        path = f"/api/v1/customers/{customer.pk}"
        response = with_scopes("customers:write").patch(path, {"total_spent": guess})
        assert response.status_code == 422
        assert response.json()["errors"] == {"total_spent": ["It is read-only. Leave it out."]}

    def test_a_patch_may_send_the_id_back(self, with_scopes, appointment):
        path = f"/api/v1/appointments/{appointment.pk}"
        body = {"id": appointment.pk, "notes": "Late."}
        response = with_scopes("appointments:write").patch(path, body)
        assert response.json()["data"] == body

    def test_a_cancellation_shows_no_more_than_that(self, with_scopes, appointment):
        response = with_scopes("appointments:write").delete(
            f"/api/v1/appointments/{appointment.pk}?reason=ill"
        )
        assert response.json()["data"] == {
            "id": appointment.pk,
            "status": "cancelled",
            "cancellation_reason": "ill",
        }

    def test_a_creation_shows_what_it_made(self, with_scopes):
        body = {"name": "Asha Rao", "email": "asha@example.com"}
        response = with_scopes("customers:write").post("/api/v1/customers", body)
        assert response.status_code == 201
        assert response.json()["data"]["email"] == "asha@example.com"

    def test_the_tag_of_a_narrowed_response_is_of_what_it_shows(self, with_scopes, appointment):
        path = f"/api/v1/appointments/{appointment.pk}"
        full = with_scopes("appointments:read", "customers:read").get(path)
        assert with_scopes("appointments:write").patch(path, {})["ETag"] != full["ETag"]


class TestCustomerNames:
    @pytest.mark.parametrize("form", ("json", "csv", "ndjson"))
    @pytest.mark.parametrize("resource", ("appointments", "calls"))
    def test_are_not_shown_without_customers_read(self, with_scopes, appointment, resource, form):
        make_call(appointment.business, customer=appointment.customer)
        path = f"/api/v1/{resource}?format={form}"
        hidden = with_scopes(f"{resource}:read").get(path)
        assert "Asha Rao" not in _text(hidden)
        assert "Asha Rao" in _text(with_scopes(f"{resource}:read", "customers:read").get(path))

    def test_stay_in_their_place(self, with_scopes, appointment):
        path = f"/api/v1/appointments/{appointment.pk}"
        narrowed = with_scopes("appointments:read").get(path).json()["data"]
        full = with_scopes("appointments:read", "customers:read").get(path).json()["data"]
        assert list(narrowed.items()) == list((full | {"customer_name": None}).items())

    def test_are_not_shown_by_a_booking(self, business, with_scopes):
        service = make_service(business)
        make_staff(business, services=[service])
        customer = make_customer(business, name="Asha Rao")
        client = with_scopes("appointments:write", "slots:read")
        slots = client.get(f"/api/v1/appointments/slots?service_id={service.pk}").json()
        slot = (slots["data"] or [slots["meta"]["next_available"]])[0]
        body = {
            "customer_id": customer.pk,
            "service_id": service.pk,
            "start_time": slot["start_time"],
        }
        booked = client.post("/api/v1/appointments", body)
        assert booked.status_code == 201
        assert booked.json()["data"]["customer_name"] is None


class TestSlots:
    @pytest.mark.parametrize("scope", ("slots:read", "appointments:read"))
    def test_need_their_own_scope_or_that_of_appointments(self, business, with_scopes, scope):
        service = make_service(business)
        path = f"/api/v1/appointments/slots?service_id={service.pk}"
        assert with_scopes(scope).get(path).status_code == 200
        refused = with_scopes("appointments:write").get(path)
        assert refused.json()["meta"]["required_scope"] == "slots:read"

    def test_their_scope_reads_no_appointments(self, with_scopes, appointment):
        client = with_scopes("slots:read")
        assert client.get("/api/v1/appointments").status_code == 403
        assert client.get(f"/api/v1/appointments/{appointment.pk}").status_code == 403

    def test_do_not_tell_when_an_appointment_is(self, with_scopes, appointment):
        response = with_scopes("slots:read").get(
            f"/api/v1/appointments/slots?service_id={appointment.service_id}"
            f"&exclude_appointment_id={appointment.pk}"
        )
        assert response.status_code == 403
        assert response.json()["meta"]["required_scope"] == "appointments:read"


class TestMigration:
    FORMER = tuple(
        scope
        for scope in ALL_SCOPES
        if scope not in ("slots:read", "staff:write", "services:write")
    )

    def test_keys_with_all_scopes_keep_all(self, business):
        make_key(business, name="all", scopes=list(self.FORMER))
        make_key(business, name="few", scopes=["calls:read"])
        name = "kaivox.businesses.migrations.0003_keys_with_all_scopes_keep_all"
        importlib.import_module(name).add_new_scopes(apps, None)
        scopes = dict(ApiKey.objects.values_list("name", "scopes"))
        assert scopes == {"all": list(ALL_SCOPES), "few": ["calls:read"]}


def _text(response):
    assert response.status_code == 200
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()
