"""The browsable API without scripts: what each caller sees, and what is never in the page."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from kaivox.businesses.models import ApiKey, Membership
from tests import factories

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Browser(Client):
    def get(self, path, *args, **kwargs):
        return super().get(path, *args, headers={"Accept": BROWSER}, **kwargs)

    def read(self, path) -> str:
        return self.get(path).content.decode()


@pytest.fixture
def browser():
    return Browser()


@pytest.fixture
def staff(business, browser):
    browser.force_login(factories.make_user(business))
    return browser


class TestForms:
    def test_programs_get_json(self, business, staff):
        for accept in ("*/*", "application/json", ""):
            response = Client.get(staff, "/api/v1/customers", headers={"Accept": accept})
            assert response["Content-Type"] == "application/json"

    def test_a_list_has_filters_a_form_pages_and_formats(self, business, staff):
        for _ in range(3):
            factories.make_customer(business)
        page = staff.read("/api/v1/customers?per_page=2&segment=lead")
        for found in (
            'name="updated_since"',
            'data-call="POST"',
            'href="/api/v1/customers?per_page=2&amp;segment=lead&amp;page=2"',
            'href="/api/v1/customers?per_page=2&amp;segment=lead&amp;format=csv"',
            "Page 1 of 2, 3 in total",
            'value="lead"',
        ):
            assert found in page

    def test_a_row_leads_to_itself_and_to_what_it_belongs_to(self, business, staff):
        appointment = factories.make_appointment(business)
        page = staff.read("/api/v1/appointments")
        assert f'href="/api/v1/appointments/{appointment.pk}"' in page
        assert f'href="/api/v1/customers/{appointment.customer_id}"' in page

    def test_a_form_has_current_values_and_the_etag(self, business, staff):
        customer = factories.make_customer(business, notes="Prefers <mornings>.")
        page = staff.read(f"/api/v1/customers/{customer.pk}")
        assert "Prefers &lt;mornings&gt;.</textarea>" in page
        tag = re.search(r'data-etag="&quot;([0-9a-f]+)&quot;"', page)[1]
        plain = Client.get(staff, f"/api/v1/customers/{customer.pk}")
        assert plain["ETag"] == f'"{tag}"'

    def test_addresses_below_are_linked(self, business, staff):
        endpoint = factories.make_endpoint(business)
        page = staff.read(f"/api/v1/webhooks/{endpoint.pk}")
        assert f'href="/api/v1/webhooks/{endpoint.pk}/deliveries"' in page
        below = staff.read(f"/api/v1/webhooks/{endpoint.pk}/test")
        assert 'data-call="POST"' in below
        assert "405" in below

    def test_an_unknown_path_and_a_bad_filter_are_pages_too(self, business, staff):
        assert "404" in staff.read("/api/v1/nothing")
        page = staff.get("/api/v1/customers?segmnt=lead")
        assert page.status_code == 422
        assert "segmnt" in page.content.decode()

    def test_a_page_is_never_taken_for_the_json(self, business, staff):
        response = staff.get("/api/v1/customers")
        assert "ETag" not in response
        assert response["Cache-Control"] == "no-store"
        assert "Accept" in response["Vary"]

    def test_what_customers_write_is_only_text(self, business, staff):
        factories.make_customer(business, name="<script>alert(1)</script>")
        assert "<script>alert" not in staff.read("/api/v1/customers")


class TestKeys:
    def test_a_key_in_the_url_never_lands_in_the_page(self, business, api_key, browser):
        page = browser.read(f"/api/v1/customers?api_key={api_key}&per_page=5")
        assert "Signed in with the key" in page
        assert api_key not in page

    def test_a_session_remembers_which_key_and_not_the_key(self, business, api_key, browser):
        response = browser.post("/session/key", {"key": api_key, "next": "/api/v1/customers"})
        assert response["Location"] == "/api/v1/customers"
        assert api_key not in str(dict(browser.session))
        assert "Signed in with the key" in browser.read("/api/v1/customers")
        browser.post("/session/key/forget")
        assert browser.get("/api/v1/customers").status_code == 401

    def test_revoking_it_ends_the_session(self, business, api_key, browser):
        browser.post("/session/key", {"key": api_key})
        key = ApiKey.objects.get(business=business)
        key.revoked_at = key.created_at
        key.save()
        assert browser.get("/api/v1/customers").status_code == 401

    def test_its_scopes_hold(self, business, browser):
        browser.post("/session/key", {"key": factories.make_key(business, scopes=["calls:read"])})
        assert browser.get("/api/v1/calls").status_code == 200
        assert browser.get("/api/v1/customers").status_code == 403

    @pytest.mark.parametrize("key", ("", "kv_live_x", "kv_live_" + "0" * 38))
    def test_an_invalid_key_is_rejected(self, db, browser, key):
        browser.post("/session/key", {"key": key, "next": "/api/v1/"})
        page = browser.read("/api/v1/")
        assert "This API key is not valid." in page
        assert "You are not signed in" in page

    @pytest.mark.parametrize(
        ("wanted", "location"),
        (
            ("/api/v1/calls", "/api/v1/calls"),
            ("http://testserver/api/v1/calls", "http://testserver/api/v1/calls"),
            ("foo", "/api/v1/"),
            ("//evil.example", "/api/v1/"),
            ("/\\evil.example", "/api/v1/"),
            ("http://evil.example/", "/api/v1/"),
            ("http://[", "/api/v1/"),
            ("javascript:alert(1)", "/api/v1/"),
            ("", "/api/v1/"),
        ),
    )
    def test_returns_to_pages_of_this_host_alone(self, db, wanted, location):
        response = Client().post("/session/key", {"key": "kv_live_x", "next": wanted})
        assert (response.status_code, response["Location"]) == (302, location)

    def test_a_write_by_session_needs_its_token(self, business, api_key):
        client = Client(enforce_csrf_checks=True)
        client.get("/login")
        token = client.cookies["csrftoken"].value
        client.post("/session/key", {"key": api_key, "csrfmiddlewaretoken": token})
        body = {"name": "Asha", "email": "asha@example.com"}
        response = client.post("/api/v1/customers", body, content_type="application/json")
        assert response.status_code == 403
        token = {"X-CSRFToken": client.cookies["csrftoken"].value}
        response = client.post(
            "/api/v1/customers", body, content_type="application/json", headers=token
        )
        assert response.status_code == 201


class TestActingAs:
    def test_staff_choose_among_their_businesses_only(self, business, other_business, browser):
        user = factories.make_user(business)
        third = factories.make_business(name="Third")
        Membership.objects.create(user=user, business=third, role="staff")
        browser.force_login(user)
        page = browser.read("/api/v1/business")
        assert "Smile Dental" in page
        assert "Third" in page
        assert "Stranger" not in page
        browser.post("/session/business", {"business": third.pk})
        assert '"Third"' in browser.read("/api/v1/business").replace("&quot;", '"')
        browser.post("/session/business", {"business": other_business.pk})
        assert "Stranger" not in browser.read("/api/v1/business")

    def test_an_analyst_only_reads(self, business):
        client = Client()
        client.force_login(factories.make_user(business, role="analyst"))
        assert client.get("/api/v1/customers").status_code == 200
        body = {"name": "Asha", "email": "asha@example.com"}
        response = client.post("/api/v1/customers", body, content_type="application/json")
        assert response.json()["code"] == "insufficient_scope"
