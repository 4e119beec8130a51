"""The media type of errors, and that each says what to do instead."""

from __future__ import annotations

import gzip

import pytest
from rest_framework.test import APIClient

from tests import factories
from tests.object_graph import API, make_world, routes
from tests.test_hostile import at

pytestmark = [pytest.mark.django_db, pytest.mark.once]

JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CUSTOMERS = f"{API}/customers"


class TestForm:
    @pytest.mark.parametrize(
        "accept", (JAVA, BROWSER, "text/html", "application/xhtml+xml", "text/html, */*;q=0.1")
    )
    def test_a_caller_with_a_key_gets_json(self, client, api_key, accept):
        bearer = {"Authorization": f"Bearer {api_key}"}
        for response in (
            client.get(CUSTOMERS, headers={"Accept": accept}),
            client.post(CUSTOMERS, {}, headers={"Accept": accept}),
            APIClient().get(CUSTOMERS, headers={"Accept": accept, **bearer}),
        ):
            assert response["Content-Type"] == "application/json"
            assert response.json()["meta"]["request_id"]

    def test_a_program_without_a_key_gets_json(self):
        response = APIClient().get(CUSTOMERS, headers={"Accept": JAVA})
        assert (response.status_code, response["Content-Type"]) == (401, "application/json")

    def test_a_browser_gets_a_page(self, business, api_key):
        browser = APIClient()
        for url in (CUSTOMERS, f"{CUSTOMERS}?api_key={api_key}"):
            page = browser.get(url, headers={"Accept": BROWSER})
            assert page["Content-Type"].startswith("text/html")
        browser.force_login(factories.make_user(business))
        page = browser.get(CUSTOMERS, headers={"Accept": "text/html"})
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")

    def test_an_empty_format_is_called_empty(self, client):
        response = client.get("/api/v1/services?format=")
        assert response.status_code == 406
        assert response.json()["message"].startswith("The format is empty.")

    def test_a_list_can_still_be_csv(self, client):
        accept = {"Accept": "text/csv, text/html;q=0.5"}
        response = client.get(CUSTOMERS, headers=accept)
        assert response["Content-Type"].startswith("text/csv"), response.content
        assert response.getvalue().startswith(b"id,")


class TestContentType:
    def test_415_says_what_to_send(self, client):
        response = client.generic("POST", CUSTOMERS, b"name=x", "text/plain")
        assert response.status_code == 415
        assert "Send Content-Type: application/json" in response.json()["message"]

    @pytest.mark.parametrize("coding", ("gzip", "br", "GZIP", "deflate, gzip"))
    def test_a_compressed_body_is_415(self, client, coding):
        response = client.generic(
            "POST",
            CUSTOMERS,
            gzip.compress(b"{}"),
            "application/json",
            HTTP_CONTENT_ENCODING=coding,
        )
        assert (response.status_code, response["Accept-Encoding"]) == (415, "identity")
        assert response.json()["code"] == "unsupported_media_type"

    def test_identity_is_no_compression(self, client):
        body = b'{"name": "Asha", "phone": "+919876543210"}'
        response = client.generic(
            "POST", CUSTOMERS, body, "application/json", HTTP_CONTENT_ENCODING="identity"
        )
        assert response.status_code == 201


class TestMessage:
    @pytest.mark.parametrize(
        ("path", "name", "meant"),
        (
            ("customers", "segmnt", "segment"),
            ("appointments", "dateFrom", "date_from"),
            ("calls", "min_durations", "min_duration"),
            ("staff", "perpage", "per_page"),
        ),
    )
    def test_an_unknown_parameter_names_the_closest(self, client, path, name, meant):
        [message] = client.get(f"{API}/{path}?{name}=1").json()["errors"][name]
        assert f'Did you mean "{meant}"? Known: api_key, ' in message

    def test_an_unknown_field_names_the_closest(self, client):
        body = {"nmae": "Asha", "phone_number": "1", "zzz": 1}
        errors = client.post(CUSTOMERS, body).json()["errors"]
        assert 'Did you mean "name"?' in errors["nmae"][0]
        assert errors["zzz"][0] == (
            "There is no such field here. "
            "Known: email, metadata, name, notes, phone, pipeline_stage, segment, source."
        )

    @pytest.mark.parametrize("path", sorted({route.path for route in routes()}))
    def test_a_wrong_method_names_the_allowed_ones(self, client, business, path):
        mine = make_world(business)
        url = at(next(route for route in routes() if route.path == path), mine)
        response = client.put(url, {})
        assert response.status_code == 405
        assert response.json()["message"].endswith(f"Allowed: {response['Allow']}.")

    def test_a_rejected_choice_lists_the_choices(self, client, business):
        url = f"{CUSTOMERS}/{factories.make_customer(business).pk}"
        errors = client.patch(url, {"segment": "x" * 5000}).json()["errors"]
        assert errors == {"segment": ["Choose one of: lead, active, inactive, vip."]}

    @pytest.mark.parametrize("scheme", ("", "Token ", "Basic "))
    def test_authorization_without_bearer_is_named(self, api_key, scheme):
        response = APIClient().get(
            CUSTOMERS, headers={"Authorization": f"{scheme}{api_key}", "Accept": "*/*"}
        )
        body = response.json()
        assert (response.status_code, body["code"]) == (401, "missing_api_key")
        assert '"Bearer <API key>"' in body["message"]
        assert api_key not in response.content.decode()

    @pytest.mark.parametrize("path", ("/api/v2", "/api/v2/customers", "/api/v10/x", "/api/version"))
    def test_another_version_points_to_this_one(self, client, path):
        response = client.get(path)
        assert response.status_code == 404
        assert "/api/v1" in response.json()["message"]

    def test_an_error_of_a_webhook_names_the_field(self, client, business):
        body = client.post(f"{API}/webhooks", {"url": "ftp://example.com"}).json()
        assert body["message"] == "Some values are not valid: url."
        url = f"{API}/webhooks/{factories.make_endpoint(business).pk}"
        body = client.patch(url, {"event_types": "appointment.booked"}).json()
        assert body["errors"] == {"event_types": ['Send a list, like ["appointment.booked"].']}
        body = client.patch(url, {"event_types": ["appointment.boked"]}).json()
        [message] = body["errors"]["event_types"]
        assert 'Did you mean "appointment.booked"? Known: *, appointment.booked' in message

    def test_a_refused_time_has_its_zone(self, client, business):
        mine = make_world(business)
        body = {
            "customer_id": mine.id_of("customer"),
            "service_id": mine.id_of("service"),
            "start_time": "2020-03-02T09:00:00Z",
        }
        response = client.post(f"{API}/appointments", body).json()
        assert response["code"] == "in_the_past"
        assert response["message"] == "2020-03-02 14:30 (Asia/Kolkata) is in the past."


class TestLimits:
    def test_a_response_names_at_most_20_errors(self, client):
        unknown = {f"unknown_{number}": 1 for number in range(1000)}
        body = client.post(CUSTOMERS, unknown).json()
        assert len(body["errors"]) == 20
        query = {f"unknown_{number}": 1 for number in range(900)}
        assert len(client.get(CUSTOMERS, query).json()["errors"]) == 20

    @pytest.mark.parametrize(
        ("body", "words"),
        (
            ({f"k{number}": 1 for number in range(1001)}, "1,000 members"),
            ({"metadata": {f"k{number}": "" for number in range(1001)}}, "1,000 members"),
            ({"metadata": [1] * 1001}, "1,000 items"),
            ({"metadata": [[[]] * 999] * 20}, "10,000 objects and arrays"),
        ),
    )
    def test_of_json_are_named(self, client, body, words):
        response = client.post(CUSTOMERS, body)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_json")
        assert words in response.json()["message"]

    def test_brackets_in_a_text_are_no_arrays(self, client):
        body = {"name": "Asha", "phone": "+919876543210", "notes": '[{\\"[' * 1000}
        assert client.post(CUSTOMERS, body).status_code == 201
        body = {"name": "Ben", "phone": "+919876543211", "notes": "[" * 20_000}
        assert set(client.post(CUSTOMERS, body).json()["errors"]) == {"notes"}

    def test_a_byte_order_mark_is_ignored(self, client):
        body = b'\xef\xbb\xbf{"name": "Asha", "phone": "+919876543210"}'
        assert client.generic("POST", CUSTOMERS, body, "application/json").status_code == 201
