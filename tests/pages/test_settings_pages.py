"""Settings → API & integrations: by role, and never of another business."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from kaivox.businesses.models import ApiKey, Membership
from kaivox.businesses.models import AuditEntry as Audit
from tests import factories
from webhooks.models import Delivery, Endpoint


def as_(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(business) -> Client:
    return as_(factories.make_user(business))


class TestWhoSees:
    def test_a_stranger_is_asked_to_log_in(self, db):
        answer = Client().get("/settings/keys?x=1")
        assert answer.status_code == 302
        assert answer["Location"] == "/login?next=%2Fsettings%2Fkeys%3Fx%3D1"

    def test_a_person_without_a_business_is_told(self, db):
        page = as_(factories.make_user()).get("/settings")
        assert "member of no business" in page.content.decode()

    @pytest.mark.parametrize(
        ("role", "statuses"),
        (("owner", (200, 200, 200)), ("staff", (200, 403, 200)), ("analyst", (200, 403, 200))),
    )
    def test_keys_are_for_owners(self, business, role, statuses):
        client = as_(factories.make_user(business, role=role))
        paths = ("/settings", "/settings/keys", "/settings/webhooks")
        assert tuple(client.get(path).status_code for path in paths) == statuses

    def test_a_member_of_two_switches_between_them(self, business, other_business):
        user = factories.make_user(business)
        Membership.objects.create(user=user, business=other_business, role="analyst")
        client = as_(user)
        data = {"business": other_business.pk, "next": "/settings"}
        assert client.post("/session/business", data)["Location"] == "/settings"
        page = client.get("/settings").content.decode()
        assert f'value="{other_business.pk}" selected' in page
        assert client.get("/settings/keys").status_code == 403

    def test_nobody_switches_to_a_business_of_others(self, business, other_business, owner):
        owner.post("/session/business", {"business": other_business.pk})
        page = owner.get("/settings").content.decode()
        assert other_business.name not in page

    def test_the_way_back_never_leads_to_another_site(self, business, owner):
        data = {"business": business.pk, "next": "https://evil.example/"}
        assert owner.post("/session/business", data)["Location"] == "/api/v1/"


class TestKeys:
    def test_issues_one_and_shows_it_once(self, business, owner):
        form = {"name": "Front desk", "scopes": ["calls:read"], "query_allowed": "on"}
        page = owner.post("/settings/keys", form)
        secret = re.search(r"kv_live_\w{38}", page.content.decode())[0]
        assert "no-store" in page["Cache-Control"]
        assert Client().get("/api/v1/calls", headers={"X-API-Key": secret}).status_code == 200
        assert secret not in owner.get("/settings/keys").content.decode()
        assert Audit.objects.filter(business=business, action="api_key.issued").count() == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        (
            ("name", ""),
            ("scopes", ["calls:fly"]),
            ("allowed_cidrs", "here"),
            ("expires_on", "2001-01-01"),
        ),
    )
    def test_says_what_is_wrong(self, business, owner, field, value):
        form = {"name": "X", "scopes": ["calls:read"], field: value}
        page = owner.post("/settings/keys", form).content.decode()
        assert 'class="error"' in page or 'class="note bad"' in page
        assert not ApiKey.objects.filter(business=business).exists()

    def test_revokes_one(self, business, owner):
        secret = factories.make_key(business)
        key = ApiKey.objects.get(business=business)
        assert owner.post(f"/settings/keys/{key.pk}/revoke").status_code == 302
        answer = Client().get("/api/v1/business", headers={"X-API-Key": secret})
        assert answer.json()["code"] == "invalid_api_key"


class TestWebhooks:
    def test_adds_one_and_shows_its_secret_once(self, business, owner, settings):
        settings.WEBHOOK_ALLOW_PRIVATE = True
        settings.WEBHOOK_HTTPS_ONLY = False
        settings.WEBHOOK_PORTS = []
        form = {"url": "http://127.0.0.1:9/hook", "event_types": ["call.missed"]}
        page = owner.post("/settings/webhooks", form).content.decode()
        endpoint = Endpoint.objects.get(business=business)
        assert endpoint.secret in page.replace("&#x2B;", "+")
        again = owner.get(f"/settings/webhooks/{endpoint.pk}").content.decode()
        assert "whsec_" not in again

    def test_sends_a_test_event_and_shows_the_delivery(self, business, owner):
        endpoint = factories.make_endpoint(business)
        path = f"/settings/webhooks/{endpoint.pk}"
        owner.post(f"{path}/test", {"event_type": "call.missed"})
        delivery = Delivery.objects.get(endpoint=endpoint)
        assert "call.missed" in owner.get(path).content.decode()
        assert "evt_" in owner.get(f"/settings/deliveries/{delivery.pk}").content.decode()

    def test_refuses_a_test_event_that_there_is_not(self, business, owner):
        endpoint = factories.make_endpoint(business)
        owner.post(f"/settings/webhooks/{endpoint.pk}/test", {"event_type": "call.flown"})
        assert not Delivery.objects.exists()

    def test_rotates_pauses_switches_on_and_deletes(self, business, owner):
        endpoint = factories.make_endpoint(business)
        path, old = f"/settings/webhooks/{endpoint.pk}", endpoint.secret
        assert "whsec_" in owner.post(f"{path}/rotate", {"grace": "24"}).content.decode()
        endpoint.refresh_from_db()
        assert endpoint.previous_secret == old
        for value in ("false", "true"):
            owner.post(f"{path}/switch", {"is_active": value})
            endpoint.refresh_from_db()
            assert str(endpoint.is_active).lower() == value
        owner.post(f"{path}/delete")
        assert owner.get(path).status_code == 404

    def test_sends_a_delivery_again(self, business, owner):
        endpoint = factories.make_endpoint(business)
        factories.make_event(business)
        delivery = Delivery.objects.get(endpoint=endpoint)
        delivery.status = "exhausted"
        delivery.save()
        owner.post(f"/settings/deliveries/{delivery.pk}/redeliver")
        delivery.refresh_from_db()
        assert (delivery.status, delivery.trigger) == ("pending", "manual")

    @pytest.mark.parametrize("act", ("rotate", "switch", "delete", "test"))
    def test_an_analyst_only_reads(self, business, act):
        endpoint = factories.make_endpoint(business)
        analyst = as_(factories.make_user(business, role="analyst"))
        path = f"/settings/webhooks/{endpoint.pk}"
        assert analyst.get(path).status_code == 200
        assert analyst.post(f"{path}/{act}", {"grace": "0"}).status_code == 403
        form = {"url": "http://127.0.0.1:9/", "event_types": ["*"]}
        assert analyst.post("/settings/webhooks", form).status_code == 403


class TestIsolation:
    def test_nothing_of_another_business_can_be_reached(self, business, other_business, owner):
        endpoint = factories.make_endpoint(other_business)
        factories.make_event(other_business)
        factories.make_key(other_business)
        theirs = {
            "webhooks": endpoint.pk,
            "deliveries": Delivery.objects.get(endpoint=endpoint).pk,
            "keys": ApiKey.objects.get(business=other_business).pk,
        }
        paths = (
            ("get", f"/settings/webhooks/{theirs['webhooks']}"),
            ("post", f"/settings/webhooks/{theirs['webhooks']}/test"),
            ("post", f"/settings/webhooks/{theirs['webhooks']}/rotate"),
            ("post", f"/settings/webhooks/{theirs['webhooks']}/switch"),
            ("post", f"/settings/webhooks/{theirs['webhooks']}/delete"),
            ("get", f"/settings/deliveries/{theirs['deliveries']}"),
            ("post", f"/settings/deliveries/{theirs['deliveries']}/redeliver"),
            ("post", f"/settings/keys/{theirs['keys']}/revoke"),
        )
        for method, path in paths:
            assert getattr(owner, method)(path).status_code == 404, path
        for path in ("/settings", "/settings/webhooks", "/settings/keys"):
            page = owner.get(path).content.decode()
            assert other_business.name not in page
            assert endpoint.url not in page

    @pytest.mark.parametrize("pk", ("0", "x", "9" * 30, "1e3"))
    def test_an_absurd_id_is_not_there(self, owner, pk):
        assert owner.get(f"/settings/webhooks/{pk}").status_code == 404
