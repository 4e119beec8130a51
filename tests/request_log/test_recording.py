"""What the request log stores of a request: every one, masked, of its own business."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from kaivox.businesses.models import ApiKey
from kaivox.request_log import middleware, recording
from kaivox.request_log.masking import MAX_READ_BYTES, mask_body
from kaivox.request_log.models import RequestLogEntry
from tests import factories

pytestmark = pytest.mark.django_db

CARD = "4111 1111 1111 1111"


def logged() -> RequestLogEntry:
    """The only entry."""
    recording.flush()
    return RequestLogEntry.objects.get()


class TestEveryRequest:
    def test_has_its_facts(self, client, business):
        response = client.get(
            "/api/v1/customers?per_page=5&search=ann", REMOTE_ADDR="203.0.113.9",
            HTTP_X_REQUEST_ID="my-request",
        )  # fmt: skip
        entry = logged()
        assert response.status_code == 200
        assert entry.business == business
        assert entry.key == ApiKey.objects.get()
        assert (entry.method, entry.path, entry.query) == (
            "GET",
            "/api/v1/customers",
            "per_page=5&search=ann",
        )
        assert (entry.status, entry.error_code, entry.address) == (200, "", "203.0.113.9")
        assert entry.request_id == "my-request"
        assert entry.duration_ms >= 0

    @pytest.mark.parametrize(
        ("path", "status", "code", "template"),
        (
            ("/api/v1/customers/999", 404, "not_found", "/api/v1/customers/{id}"),
            ("/api/v1/customers?colour=red", 422, "validation_error", "/api/v1/customers"),
            ("/api/v1/business", 200, "", "/api/v1/business"),
        ),
    )
    def test_has_status_and_code(self, client, path, status, code, template):
        client.get(path)
        entry = logged()
        assert (entry.status, entry.error_code, entry.path_template) == (status, code, template)
        assert entry.request_body == entry.response_body == ""

    @pytest.mark.parametrize("method", ("get", "post"))
    def test_of_a_page_of_the_browsable_api_has_the_code_that_it_shows(self, business, method):
        browser = Client()
        browser.force_login(factories.make_user(business))
        send = getattr(browser, method)
        page = send(
            "/api/v1/customers?colour=red", headers={"Accept": "text/html,application/xhtml+xml"}
        )
        assert page["Content-Type"].startswith("text/html")
        entry = logged()
        assert (entry.status, entry.error_code) == (page.status_code, page.data["code"])
        shown = json.loads(entry.response_body)["code"] if method == "post" else ""
        assert shown == (page.data["code"] if method == "post" else "")

    def test_of_an_unknown_key_is_logged_for_no_business(self, business, client_of):
        assert client_of("kv_live_nonsense").get("/api/v1/customers").status_code == 401
        assert recording.flush() == 0

    def test_of_a_session_has_the_login(self, business):
        user = factories.make_user(business, username="ann")
        browser = Client()
        browser.force_login(user)
        browser.get("/api/v1/customers", headers={"Accept": "application/json"})
        entry = logged()
        assert (entry.key, entry.user_name) == (None, "ann")

    def test_is_written_by_the_flush_alone(self, client, django_assert_num_queries):
        client.get("/api/v1/business")
        assert not RequestLogEntry.objects.exists()
        assert recording.flush() == 1

    def test_belongs_to_its_own_business(self, client, stranger, business, other_business):
        client.get("/api/v1/customers")
        stranger.get("/api/v1/staff")
        recording.flush()
        paths = RequestLogEntry.objects.values_list("business", "path")
        assert set(paths) == {
            (business.pk, "/api/v1/customers"),
            (other_business.pk, "/api/v1/staff"),
        }


class TestBodies:
    def test_of_a_failed_write_are_stored(self, client):
        client.post("/api/v1/customers", {"name": "Ann", "colour": "red"})
        entry = logged()
        assert json.loads(entry.request_body) == {"name": "Ann", "colour": "red"}
        assert json.loads(entry.response_body)["code"] == "validation_error"

    def test_of_a_successful_write_are_not(self, client):
        response = client.post("/api/v1/customers", {"name": "Ann", "phone": "+919812345678"})
        entry = logged()
        assert response.status_code == entry.status == 201
        assert entry.request_body == entry.response_body == ""

    def test_of_invalid_json_are_stored(self, client):
        client.post("/api/v1/customers", '{"name": "Ann"', content_type="application/json")
        assert logged().request_body == '{"name": "Ann"'

    def test_are_cut_and_masked(self, client):
        body = {"name": "Ann", "notes": f"pays with {CARD}", "colour": "é" * 5_000}
        client.post("/api/v1/customers", body)
        entry = logged()
        assert len(entry.request_body.encode()) <= 4_096
        assert "4111" not in entry.request_body
        assert "[card]" in entry.request_body

    def test_of_any_size_take_little_memory_in_the_queue(self, client, monkeypatch):
        queued = []
        monkeypatch.setattr("kaivox.request_log.middleware.record", queued.append)
        body = {"name": "A", "email": "x", "notes": "x" * 500_000}
        assert client.post("/api/v1/customers", body).status_code == 422
        [request] = queued
        assert len(request.request_body) == MAX_READ_BYTES
        assert mask_body(request.request_body).startswith('{"name"')


class TestSecrets:
    def test_a_key_in_the_url_is_not_stored(self, business, api_key):
        Client().get(f"/api/v1/customers?api_key={api_key}&per_page=2")
        entry = logged()
        assert entry.query == "per_page=2"

    @pytest.mark.parametrize("where", ("query", "path", "body"))
    def test_no_key_is_stored_wherever_it_was_sent(self, client, where):
        secret = factories.make_key(factories.make_business())
        if where == "body":
            client.post("/api/v1/customers", {"name": secret, "colour": "red"})
        else:
            path = f"/api/v1/customers/{secret}" if where == "path" else f"/api/v1/staff?x={secret}"
            client.get(path)
        entry = logged()
        for value in (entry.path, entry.query, entry.request_body, entry.response_body):
            assert secret not in value

    def test_headers_of_an_endpoint_are_masked(self, client):
        headers = {"Authorization": "Bearer my-own-token"}
        client.post("/api/v1/webhooks", {"url": "nonsense", "headers": headers})
        entry = logged()
        assert "my-own-token" not in entry.request_body
        assert "Authorization" in entry.request_body


class TestLimits:
    def test_a_full_queue_drops_and_counts(self, client, monkeypatch):
        monkeypatch.setattr(recording._queue, "max_items", 2)
        before = recording.REQUEST_LOG_DROPPED._value.get()
        for _ in range(3):
            client.get("/api/v1/business")
        assert recording.flush() == 2
        assert recording.REQUEST_LOG_DROPPED._value.get() == before + 1

    def test_rejected_requests_have_a_limit_of_their_own(self):
        class Decision:
            class quota:
                per_minute = 30

            def __init__(self, admitted):
                self.admitted = admitted

        limit = middleware.EntryLimit()
        rejected = [limit.admits(1, Decision(False)) for _ in range(100)]
        admitted = [limit.admits(1, Decision(True)) for _ in range(30)]
        assert sum(rejected) == 60
        assert all(admitted)
        assert limit.admits(2, Decision(False))
