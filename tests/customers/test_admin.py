"""Customers in the admin."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from tests.factories import make_customer, make_user
from webhooks.models import Event

pytestmark = pytest.mark.once_in_production


@pytest.fixture
def browser(business) -> Client:
    browser = Client()
    browser.force_login(make_user(business))
    return browser


def page(name: str, *args: object) -> str:
    return reverse(f"admin:customers_customer_{name}", args=args)


def filled(business, **values) -> dict:
    return {
        "business": business.pk,
        "name": "Asha Rao",
        "phone": "098765 43210",
        "email": "",
        "segment": "lead",
        "pipeline_stage": "new_lead",
        "source": "admin",
        "notes": "",
        "metadata": "{}",
        **values,
    }


class TestCustomerPages:
    def test_list_shows_ours_only(self, browser, business, other_business):
        make_customer(business, name="Ours")
        make_customer(other_business, name="Theirs")
        shown = browser.get(page("changelist")).content.decode()
        assert "Ours" in shown
        assert "Theirs" not in shown

    def test_searches_without_case_and_accents(self, browser, business):
        make_customer(business, name="Élodie")
        make_customer(business, name="Ben")
        shown = browser.get(page("changelist"), {"q": "ELODIE"}).content.decode()
        assert "Élodie" in shown
        assert "Ben" not in shown

    def test_adds_through_the_operation(self, browser, business):
        response = browser.post(page("add"), filled(business))
        assert response.status_code == 302, response.context["errors"]
        customer = Customer.objects.get()
        assert (customer.phone, customer.segment_by_hand) == ("+919876543210", False)
        assert Event.objects.get().type == "customer.created"

    def test_changes_through_the_operation(self, browser, business):
        customer = make_customer(business)
        values = filled(business, phone=customer.phone, segment="vip", source=customer.source)
        assert browser.post(page("change", customer.pk), values).status_code == 302
        customer.refresh_from_db()
        assert (customer.name, customer.segment, customer.segment_by_hand) == (
            "Asha Rao",
            "vip",
            True,
        )
        assert Event.objects.get().type == "customer.updated"

    @pytest.mark.parametrize(
        ("values", "message"),
        (
            ({"phone": "12"}, "too short"),
            ({"phone": ""}, "Give a phone number or an e-mail address."),
            ({"phone": "+919811111111"}, "already"),
        ),
    )
    def test_shows_errors_in_the_form(self, browser, business, values, message):
        make_customer(business, phone="+919811111111")
        response = browser.post(page("add"), filled(business, **values))
        assert response.status_code == 200
        assert message in response.content.decode()
        assert Customer.objects.count() == 1


class TestErasing:
    def test_asks_for_confirmation_before_erasing(self, browser, business):
        customer = make_customer(business, name="Zebedee")
        url = page("act", customer.pk, "erase")
        assert "cannot be undone" in browser.get(url).content.decode()
        assert browser.post(url, {}).status_code == 200
        assert browser.post(url, {"sure": "on"}).status_code == 302
        customer.refresh_from_db()
        assert customer.name == "Erased"
        shown = browser.get(page("change", customer.pk)).content.decode()
        assert 'name="phone"' not in shown

    def test_is_for_owners(self, business):
        customer, browser = make_customer(business), Client()
        user = make_user(business, role="staff")
        browser.force_login(user)
        assert browser.post(page("act", customer.pk, "erase"), {"sure": "on"}).status_code == 403

    def test_export_is_a_file(self, browser, business):
        customer = make_customer(business, name="Zebedee")
        response = browser.post(page("act", customer.pk, "export"))
        assert response.json()["customer"]["name"] == "Zebedee"
        assert "attachment" in response["Content-Disposition"]
