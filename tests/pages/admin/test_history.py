"""History of a row in the admin: changes through the API and the settings pages, too."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from kaivox.businesses.models import ApiKey
from tests import factories
from webhooks.models import Delivery

pytestmark = pytest.mark.once_in_production


def history(user, row) -> str:
    browser = Client()
    browser.force_login(user)
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_history"
    return browser.get(reverse(name, args=[row.pk])).content.decode()


@pytest.fixture
def owner(business):
    return factories.make_user(business)


class TestHistory:
    def test_shows_a_key_that_was_revoked_in_the_settings(self, business, owner):
        factories.make_key(business)
        key = ApiKey.objects.get()
        browser = Client()
        browser.force_login(owner)
        browser.post(f"/settings/keys/{key.pk}/revoke")
        page = history(owner, key)
        assert "api_key.revoked" in page
        assert owner.username in page

    def test_shows_an_endpoint_that_was_changed_through_the_api(self, business, owner, client_of):
        endpoint = factories.make_endpoint(business)
        api = client_of(factories.make_key(business, name="EMR sync"))
        path = f"/api/v1/webhooks/{endpoint.pk}"
        assert api.patch(path, {"description": "EMR"}, format="json").status_code == 200
        page = history(owner, endpoint)
        assert "webhook.changed" in page
        assert "EMR sync" in page

    def test_shows_the_events_of_an_appointment(self, business, owner, client_of):
        appointment = factories.make_appointment(business)
        api = client_of(factories.make_key(business))
        assert api.delete(f"/api/v1/appointments/{appointment.pk}").status_code == 200
        page = history(owner, appointment)
        assert "appointment.cancelled" in page
        assert "API key Test" in page

    def test_shows_a_change_of_plan(self, business, owner):
        root = factories.make_user(is_superuser=True)
        browser = Client()
        browser.force_login(root)
        browser.post(f"/admin/businesses/business/{business.pk}/act/plan/", {"plan": "pro"})
        page = history(owner, business)
        assert "business.plan_changed" in page
        assert "→ pro" in page

    def test_is_of_that_row_alone(self, business, owner):
        first, second = (factories.make_endpoint(business) for _ in range(2))
        browser = Client()
        browser.force_login(owner)
        browser.post(f"/settings/webhooks/{first.pk}/switch", {"is_active": "false"})
        assert "webhook." in history(owner, first)
        assert "webhook." not in history(owner, second)

    @pytest.mark.parametrize("role", ("staff", "analyst"))
    def test_shows_the_audit_to_owners_only(self, business, owner, role):
        endpoint = factories.make_endpoint(business)
        browser = Client()
        browser.force_login(owner)
        browser.post(f"/settings/webhooks/{endpoint.pk}/switch", {"is_active": "false"})
        assert "webhook." not in history(factories.make_user(business, role=role), endpoint)


class TestAppointmentPage:
    def test_lists_the_call_and_the_deliveries(self, business, owner, client_of):
        factories.make_endpoint(business)
        appointment = factories.make_appointment(business)
        booked_in = factories.make_call(business, appointment=appointment)
        other = factories.make_call(business)
        client_of(factories.make_key(business)).delete(f"/api/v1/appointments/{appointment.pk}")
        delivery = Delivery.objects.get()
        browser = Client()
        browser.force_login(owner)
        url = f"/admin/appointments/appointment/{appointment.pk}/change/"
        page = browser.get(url).content.decode()
        assert f"/admin/calls/call/{booked_in.pk}/change/" in page
        assert f"/admin/calls/call/{other.pk}/change/" not in page
        assert f"/admin/webhooks/delivery/{delivery.pk}/change/" in page
        assert "appointment.cancelled" in page
        for related in (
            f"calls/call/?appointment__id__exact={appointment.pk}",
            f"webhooks/delivery/?q={appointment.pk}",
        ):
            assert f"/admin/{related}" in page
            assert browser.get(f"/admin/{related}").status_code == 200


class TestCustomerPage:
    def test_lists_appointments_and_calls(self, business, owner):
        customer = factories.make_customer(business)
        appointment = factories.make_appointment(business, customer=customer)
        call = factories.make_call(business, customer=customer)
        other = factories.make_appointment(business)
        browser = Client()
        browser.force_login(owner)
        page = browser.get(f"/admin/customers/customer/{customer.pk}/change/").content.decode()
        for row, model in ((appointment, "appointments/appointment"), (call, "calls/call")):
            assert f"/admin/{model}/{row.pk}/change/" in page
            assert f"/admin/{model}/?customer__id__exact={customer.pk}" in page
        assert f"/admin/appointments/appointment/{other.pk}/change/" not in page
        for model in ("appointments/appointment", "calls/call"):
            url = f"/admin/{model}/?customer__id__exact={customer.pk}"
            assert browser.get(url).status_code == 200
