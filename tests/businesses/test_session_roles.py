"""A session has the same permissions in the API as on the pages."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.factories import make_endpoint, make_event, make_user
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db

HOOK = "/api/v1/webhooks"


@pytest.fixture
def as_role(business):
    def make(role):
        client = APIClient()
        client.force_login(make_user(business, role=role))
        return client

    return make


@pytest.fixture
def delivery(business):
    make_endpoint(business)
    make_event(business)
    return Delivery.objects.get()


def statuses(client, delivery):
    endpoint = delivery.endpoint_id
    requests = {
        "create": ("post", HOOK, {"url": "http://127.0.0.1:9/hook"}),
        "change": ("patch", f"{HOOK}/{endpoint}", {"description": "x"}),
        "rotate": ("post", f"{HOOK}/{endpoint}/rotate-secret", {}),
        "recover": ("post", f"{HOOK}/{endpoint}/recover", {"since": "2026-01-01T00:00:00Z"}),
        "test": ("post", f"{HOOK}/{endpoint}/test", {"event_type": "customer.created"}),
        "redeliver": ("post", f"{HOOK}/deliveries/{delivery.pk}/redeliver", None),
        "read": ("get", f"{HOOK}/deliveries/{delivery.pk}", None),
        "customer": ("post", "/api/v1/customers", {"name": "Asha", "phone": "+919876543210"}),
        "delete": ("delete", f"{HOOK}/{endpoint}", None),
    }
    return {
        name: getattr(client, method)(path, body, format="json").status_code
        for name, (method, path, body) in requests.items()
    }


OWNERS_ONLY = ("create", "change", "rotate", "recover", "delete")
WRITERS_TOO = ("test", "redeliver", "customer")


@pytest.mark.parametrize("role", ("owner", "developer"))
def test_owners_and_developers_may_do_everything(as_role, delivery, settings, role):
    settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
    settings.WEBHOOK_PORTS = []
    assert max(statuses(as_role(role), delivery).values()) < 300


def test_staff_may_send_again_and_not_decide_where_events_go(as_role, delivery):
    found = statuses(as_role("staff"), delivery)
    assert {name: found[name] for name in OWNERS_ONLY} == dict.fromkeys(OWNERS_ONLY, 403)
    assert max(found[name] for name in (*WRITERS_TOO, "read")) < 300
    assert Endpoint.objects.not_deleted().count() == 1


def test_an_analyst_reads(as_role, delivery):
    found = statuses(as_role("analyst"), delivery)
    assert found.pop("read") == 200
    assert set(found.values()) == {403}


@pytest.mark.parametrize("path", ("/api/v1/webhooks", "/api/v1/customers", "/api/v1/business"))
def test_the_api_demands_two_factor_authentication_where_pages_do(as_role, settings, path):
    settings.TWO_FACTOR_REQUIRED = True
    for role in ("owner", "developer"):
        assert as_role(role).get(path).status_code == 401
    assert as_role("staff").get(path).status_code == 200


class TestWithoutAdminAccess:
    """A user without `is_staff` has no access to the settings pages, as in the API and the admin."""

    @pytest.fixture
    def browser(self, business):
        browser = Client()
        browser.force_login(make_user(business, is_staff=False))
        return browser

    @pytest.mark.parametrize("path", ("/settings", "/settings/keys", "/settings/webhooks"))
    def test_no_settings_page_is_shown(self, browser, business, path):
        assert business.name not in browser.get(path).content.decode()

    def test_no_key_is_issued(self, browser):
        from kaivox.businesses.models import ApiKey

        browser.post("/settings/keys", {"name": "X", "scopes": ["calls:read"]})
        assert not ApiKey.objects.exists()
