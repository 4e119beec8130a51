"""Custom headers of endpoints: sent with each request, and never shown again."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from kaivox.businesses.models import AuditEntry
from kaivox.errors import Invalid
from tests.factories import make_endpoint, make_event, make_key, make_user
from webhooks.custom_headers import MASK, check_headers, headers_of
from webhooks.delivery_queue import claim_due
from webhooks.models import Attempt, Delivery, Endpoint

pytestmark = pytest.mark.django_db

HOOK = "/api/v1/webhooks"
TOKEN = "Bearer s3cret-token"
HEADERS = {"Authorization": TOKEN, "X-Route": "clinic-7"}
MASKED = dict.fromkeys(HEADERS, MASK)


@pytest.fixture
def endpoint(client, receiver):
    created = client.post(HOOK, {"url": receiver.url, "headers": HEADERS})
    assert created.status_code == 201, created.content
    assert created.json()["data"]["headers"] == MASKED
    return Endpoint.objects.get()


@pytest.fixture
def browser(business):
    browser = Client()
    browser.force_login(make_user(business))
    return browser


class TestSending:
    def test_every_request_carries_them(self, client, endpoint, business, receiver, deliver):
        make_event(business)
        client.post(f"{HOOK}/{endpoint.pk}/test", {"event_type": "call.missed"})
        deliver()
        assert len(receiver.requests) == 2
        for request in receiver.requests:
            assert HEADERS.items() <= request.headers.items()

    def test_their_values_are_in_no_log(self, client, browser, endpoint, business, deliver):
        make_event(business)
        deliver()
        assert Attempt.objects.get().request_headers["Authorization"] == MASK
        delivery = Delivery.objects.get()
        pages = (
            client.get(f"{HOOK}/deliveries/{delivery.pk}"),
            client.get(f"{HOOK}/{endpoint.pk}"),
            browser.get(f"/settings/deliveries/{delivery.pk}"),
            browser.get(f"/settings/webhooks/{endpoint.pk}"),
            browser.get(f"/admin/webhooks/delivery/{delivery.pk}/change/"),
            browser.get(f"/admin/webhooks/endpoint/{endpoint.pk}/change/"),
        )
        for page in pages:
            assert page.status_code == 200
            assert "s3cret" not in page.content.decode()
        assert "s3cret" not in str(list(AuditEntry.objects.values()))

    def test_they_are_encrypted_at_rest(self, endpoint):
        with connection.cursor() as cursor:
            cursor.execute("SELECT custom_headers FROM webhooks_endpoint")
            assert "s3cret" not in cursor.fetchone()[0]

    def test_nothing_is_sent_without_them(self, endpoint, business, settings):
        make_event(business)
        Endpoint.objects.update(secret=endpoint.secret)
        settings.SECRET_KEY = "another" * 10
        Endpoint.objects.update(secret="whsec_c2VjcmV0")

        assert claim_due(limit=1, now=timezone.now()) == []

    def test_a_deleted_endpoint_has_none(self, client, endpoint):
        client.delete(f"{HOOK}/{endpoint.pk}")
        endpoint.refresh_from_db()
        assert endpoint.custom_headers is None


class TestChanging:
    def change(self, client, endpoint, headers):
        response = client.patch(f"{HOOK}/{endpoint.pk}", {"headers": headers})
        assert response.status_code == 200, response.content
        endpoint.refresh_from_db()
        return headers_of(endpoint)

    def edit(self, browser, endpoint, lines):
        form = {"url": endpoint.url, "event_types": endpoint.event_types, "headers": lines}
        page = browser.post(f"/settings/webhooks/{endpoint.pk}/edit", form)
        endpoint.refresh_from_db()
        return page

    def test_a_masked_value_leaves_the_stored_one(self, client, endpoint):
        changed = {"authorization": MASK, "X-New": "1"}
        assert self.change(client, endpoint, changed) == {"authorization": TOKEN, "X-New": "1"}

    @pytest.mark.parametrize("nothing", ({}, None))
    def test_they_are_removed(self, client, endpoint, nothing):
        assert self.change(client, endpoint, nothing) == {}

    def test_other_changes_leave_them(self, client, endpoint):
        client.patch(f"{HOOK}/{endpoint.pk}", {"description": "x"})
        endpoint.refresh_from_db()
        assert headers_of(endpoint) == HEADERS

    @pytest.mark.parametrize("headers", (None, {"Authorization": MASK, "X-New": "1"}))
    def test_another_host_does_not_receive_the_stored_ones(self, client, endpoint, headers):
        body = {"url": "http://127.0.0.2:9/hook"} | ({"headers": headers} if headers else {})
        response = client.patch(f"{HOOK}/{endpoint.pk}", body)
        assert response.status_code == 422
        assert "another host" in response.json()["errors"]["headers"][0]
        former = endpoint.url
        endpoint.refresh_from_db()
        assert (endpoint.url, headers_of(endpoint)) == (former, HEADERS)

    def test_another_host_does_not_receive_unreadable_ones(self, client, endpoint):
        """They would be sent there once the key that encrypted them is configured again."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE webhooks_endpoint SET custom_headers = 'x'")
        path = f"{HOOK}/{endpoint.pk}"
        assert client.patch(path, {"url": "http://127.0.0.2:9/hook"}).status_code == 422
        assert (
            client.patch(path, {"url": "http://127.0.0.2:9/hook", "headers": {}}).status_code == 200
        )

    @pytest.mark.parametrize("headers", ({}, {"Authorization": "Bearer other"}))
    def test_another_host_receives_those_that_are_sent_with_it(self, client, endpoint, headers):
        body = {"url": "http://127.0.0.2:9/hook", "headers": headers}
        assert client.patch(f"{HOOK}/{endpoint.pk}", body).status_code == 200
        endpoint.refresh_from_db()
        assert headers_of(endpoint) == headers

    def test_another_path_of_the_host_leaves_them(self, client, endpoint):
        parts = urlsplit(endpoint.url)
        body = {"url": f"{parts.scheme}://{parts.hostname}:9/elsewhere"}
        assert client.patch(f"{HOOK}/{endpoint.pk}", body).status_code == 200
        endpoint.refresh_from_db()
        assert headers_of(endpoint) == HEADERS

    def test_the_audit_names_them(self, client, endpoint):
        self.change(client, endpoint, {"X-New": "1"})
        entry = AuditEntry.objects.get(action="webhook.changed")
        assert entry.changes == {"headers": [list(HEADERS), ["X-New"]]}

    def test_on_the_settings_page(self, browser, endpoint):
        self.edit(browser, endpoint, f"Authorization: {MASK}\nX-New: a: b")
        assert headers_of(endpoint) == {"Authorization": TOKEN, "X-New": "a: b"}

    @pytest.mark.parametrize("lines", ("no colon", "Host: x", "A: 1\nA: 2"))
    def test_the_settings_page_says_what_is_wrong(self, browser, endpoint, lines):
        page = self.edit(browser, endpoint, lines)
        assert page.status_code == 200
        assert page.context["form"].errors["headers"]
        assert headers_of(endpoint) == HEADERS

    def test_in_the_admin(self, browser, endpoint):
        form = {
            "url": endpoint.url,
            "description": "",
            "event_types": ["*"],
            "max_in_flight": 4,
            "rate_limit": 0,
            "rate_limit_period": "minute",
            "headers": f"X-Route: {MASK}",
        }
        browser.post(f"/admin/webhooks/endpoint/{endpoint.pk}/change/", form)
        endpoint.refresh_from_db()
        assert headers_of(endpoint) == {"X-Route": "clinic-7"}


class TestRejected:
    @pytest.mark.parametrize(
        "headers",
        (
            {"Host": "x"},
            {"content-type": "x"},
            {"Content-Length": "1"},
            {"Transfer-Encoding": "chunked"},
            {"Connection": "close"},
            {"X-KaiVox-Signature": "t=1"},
            {"Webhook-Id": "x"},
            {"user-agent": "x"},
            {"traceparent": "x"},
            {"Bad Name": "x"},
            {"Bad:Name": "x"},
            {"": "x"},
            {"X-A": "a\r\nX-B: b"},
            {"X-A": "a\nb"},
            {"X-A": "é"},
            {"X-A": ""},
            {"X-A": MASK},
            {"X-A": "1", "x-a": "2"},
            {"X-A": "x" * 1001},
            {"X" * 101: "x"},
            {f"X-{n}": "x" for n in range(11)},
        ),
    )
    def test_by_field(self, client, receiver, headers):
        with pytest.raises(Invalid):
            check_headers(headers)
        response = client.post(HOOK, {"url": receiver.url, "headers": headers})
        assert response.status_code == 422
        assert {name.partition(".")[0] for name in response.json()["errors"]} == {"headers"}
        assert not Endpoint.objects.exists()

    @pytest.mark.parametrize("headers", ("x", ["x"], {"X-A": 1}, {"X-A": ["x"]}))
    def test_other_shapes(self, client, receiver, headers):
        response = client.post(HOOK, {"url": receiver.url, "headers": headers})
        assert response.status_code == 422
        assert {name.partition(".")[0] for name in response.json()["errors"]} == {"headers"}

    def test_by_a_key_without_the_scopes_of_its_events(self, client_of, business):
        endpoint = make_endpoint(business)
        client = client_of(make_key(business, scopes=["webhooks:write"]))
        response = client.patch(f"{HOOK}/{endpoint.pk}", {"headers": {"X-Route": "mine"}})
        assert response.status_code == 403
