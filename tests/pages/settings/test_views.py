"""Settings → API & integrations: access by role, and isolation between businesses."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.businesses.members import invite_member
from kaivox.businesses.models import ApiKey, Invitation, Membership
from kaivox.businesses.models import AuditEntry as Audit
from kaivox.pages.settings import access
from ratelimits.models import DailyUsage
from tests import factories
from tests.request_log.test_operations import make_entry
from webhooks.models import Delivery, Endpoint
from webhooks.operations import delete_endpoint

pytestmark = pytest.mark.once_in_production


def as_(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(business) -> Client:
    return as_(factories.make_user(business))


class TestAccess:
    def test_an_anonymous_user_is_redirected_to_the_login(self, db):
        response = Client().get("/settings/keys?x=1")
        assert response.status_code == 302
        assert response["Location"] == "/login?next=%2Fsettings%2Fkeys%3Fx%3D1"

    def test_a_user_without_a_business_gets_an_explanation(self, db):
        page = as_(factories.make_user()).get("/settings")
        assert "not a member of a business" in page.content.decode()

    @pytest.mark.parametrize(
        ("role", "statuses"),
        (
            ("owner", (200, 200, 200, 200, 200, 200)),
            ("developer", (200, 200, 200, 200, 403, 403)),
            ("staff", (200, 200, 403, 403, 403, 403)),
            ("analyst", (200, 200, 403, 403, 403, 403)),
        ),
    )
    def test_pages_are_for_roles(self, business, role, statuses):
        client = as_(factories.make_user(business, role=role))
        pages = ("", "/webhooks", "/keys", "/requests", "/members", "/reminders")
        paths = [f"/settings{page}" for page in pages]
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

    def test_a_foreign_business_cannot_be_chosen(self, business, other_business, owner):
        owner.post("/session/business", {"business": other_business.pk})
        page = owner.get("/settings").content.decode()
        assert other_business.name not in page

    def test_the_redirect_never_leads_to_another_host(self, business, owner):
        data = {"business": business.pk, "next": "https://evil.example/"}
        assert owner.post("/session/business", data)["Location"] == "/api/v1/"


class TestReminders:
    def test_are_set_and_switched_off(self, business, owner):
        for sent, stored in (("24", 24), ("", None)):
            response = owner.post("/settings/reminders", {"reminder_hours": sent}, follow=True)
            assert "Saved." in response.content.decode()
            business.refresh_from_db()
            assert business.reminder_hours == stored
        changes = Audit.objects.filter(action="business.changed").values_list("changes", flat=True)
        assert {"reminder_hours": [None, 24]} in list(changes)

    @pytest.mark.parametrize("value", ("0", "169", "soon"))
    def test_are_between_an_hour_and_a_week(self, business, owner, value):
        page = owner.post("/settings/reminders", {"reminder_hours": value})
        assert page.status_code == 200
        business.refresh_from_db()
        assert business.reminder_hours is None

    def test_are_the_owners_decision(self, business):
        staff = as_(factories.make_user(business, role="staff"))
        assert staff.post("/settings/reminders", {"reminder_hours": "24"}).status_code == 403


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
    def test_shows_errors_of_fields(self, business, owner, field, value):
        form = {"name": "X", "scopes": ["calls:read"], field: value}
        page = owner.post("/settings/keys", form).content.decode()
        assert 'class="error"' in page or 'class="note bad"' in page
        assert not ApiKey.objects.filter(business=business).exists()

    def test_revokes_one(self, business, owner):
        secret = factories.make_key(business)
        key = ApiKey.objects.get(business=business)
        assert owner.post(f"/settings/keys/{key.pk}/revoke").status_code == 302
        response = Client().get("/api/v1/business", headers={"X-API-Key": secret})
        assert response.json()["code"] == "invalid_api_key"

    def test_rotates_one_and_leaves_the_old_one_active(self, business, owner, client_of):
        old = factories.make_key(business, name="EMR", scopes=["calls:read"])
        path = f"/settings/keys/{ApiKey.objects.get().pk}/rotate"
        assert "EMR" in owner.get(path).content.decode()
        page = owner.post(path, {"grace": "24"}).content.decode()
        new = re.search(r"kv_live_\w{38}", page)[0]
        for secret in (old, new):
            assert client_of(secret).get("/api/v1/calls").status_code == 200
        assert "replaced" in owner.get("/settings/keys").content.decode()
        again = owner.post(path, {"grace": "24"}).content.decode()
        assert "already been revoked or rotated" in again

    def test_rotates_one_at_once(self, business, owner, client_of):
        old = factories.make_key(business)
        owner.post(f"/settings/keys/{ApiKey.objects.get().pk}/rotate", {"grace": "0"})
        assert client_of(old).get("/api/v1/calls").status_code == 401


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

    def test_rejects_an_unknown_event_type_for_a_test(self, business, owner):
        endpoint = factories.make_endpoint(business)
        owner.post(f"/settings/webhooks/{endpoint.pk}/test", {"event_type": "call.flown"})
        assert not Delivery.objects.exists()

    def test_rotates_pauses_activates_and_deletes(self, business, owner):
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

    @pytest.mark.parametrize("action", ("rotate", "delete"))
    def test_one_that_another_request_deletes_is_not_found(
        self, business, owner, monkeypatch, action
    ):
        endpoint = factories.make_endpoint(business)

        def find_and_delete(rows, pk):
            found = access.find_or_404(rows, pk)
            delete_endpoint(endpoint=found, now=timezone.now())
            return found

        monkeypatch.setattr("kaivox.pages.settings.webhooks.find_or_404", find_and_delete)
        path = f"/settings/webhooks/{endpoint.pk}/{action}"
        assert owner.post(path, {"grace": "0"}).status_code == 404

    def test_edits_one(self, business, owner, settings):
        settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
        settings.WEBHOOK_PORTS = []
        endpoint = factories.make_endpoint(business)
        path = f"/settings/webhooks/{endpoint.pk}/edit"
        form = {
            "url": "http://127.0.0.1:9/other",
            "description": "EMR",
            "event_types": ["call.missed", "call.completed"],
            "headers": "X-Team: desk",
        }
        assert owner.post(path, form)["Location"] == f"/settings/webhooks/{endpoint.pk}"
        endpoint.refresh_from_db()
        assert (endpoint.url, endpoint.description) == (form["url"], "EMR")
        assert sorted(endpoint.event_types) == ["call.completed", "call.missed"]
        page = owner.get(path).content.decode()
        assert "X-Team" in page
        assert "desk" not in page
        form["event_types"] = ["*", "call.missed"]
        assert "not both" in owner.post(path, form).content.decode()
        assert Audit.objects.filter(action="webhook.changed").count() == 1

    def test_replays_what_it_missed(self, business, owner):
        endpoint = factories.make_endpoint(business)
        factories.make_event(business)
        Delivery.objects.update(status="exhausted")
        path = f"/settings/webhooks/{endpoint.pk}"
        page = owner.post(f"{path}/replay", {"since": "24"}, follow=True).content.decode()
        assert "1 deliveries were queued" in page
        assert Delivery.objects.get().status == "pending"
        assert owner.post(f"{path}/replay", {"since": "x"}).status_code == 404

    def test_shows_failing_deliveries_first_while_it_fails(self, business, owner):
        endpoint = factories.make_endpoint(business)
        for number in range(2):
            factories.make_event(business, type="customer.updated", key=str(number))
        failed, fine = Delivery.objects.order_by("pk")
        Delivery.objects.filter(pk=failed.pk).update(status="exhausted")
        path = f"/settings/webhooks/{endpoint.pk}"

        def shown(query=""):
            page = owner.get(path + query).content.decode()
            return {
                row.pk for row in (failed, fine) if f'href="/settings/deliveries/{row.pk}"' in page
            }

        both = {failed.pk, fine.pk}
        assert shown() == both
        assert shown("?show=failing") == {failed.pk}
        assert shown("?show=pending") == {fine.pk}
        assert shown("?show=nonsense") == both
        assert shown("?event_type=call.missed") == set()
        endpoint.failing_since = timezone.now()
        endpoint.save()
        assert shown() == {failed.pk}
        assert shown("?show=all") == both

    def test_redelivers(self, business, owner):
        endpoint = factories.make_endpoint(business)
        factories.make_event(business)
        delivery = Delivery.objects.get(endpoint=endpoint)
        delivery.status = "exhausted"
        delivery.save()
        owner.post(f"/settings/deliveries/{delivery.pk}/redeliver")
        delivery.refresh_from_db()
        assert (delivery.status, delivery.trigger) == ("pending", "manual")

    @pytest.mark.parametrize("action", ("rotate", "switch", "delete", "test"))
    def test_an_analyst_only_reads(self, business, action):
        endpoint = factories.make_endpoint(business)
        analyst = as_(factories.make_user(business, role="analyst"))
        path = f"/settings/webhooks/{endpoint.pk}"
        assert analyst.get(path).status_code == 200
        assert analyst.post(f"{path}/{action}", {"grace": "0"}).status_code == 403
        form = {"url": "http://127.0.0.1:9/", "event_types": ["*"]}
        assert analyst.post("/settings/webhooks", form).status_code == 403


class TestIsolation:
    def test_nothing_of_another_business_can_be_reached(self, business, other_business, owner):
        endpoint = factories.make_endpoint(other_business)
        factories.make_event(other_business)
        factories.make_key(other_business)
        factories.make_user(other_business, username="their-owner")
        invite_member(
            business_id=other_business.pk,
            email="their@example.com",
            role="staff",
            now=timezone.now(),
        )
        theirs = {
            "webhooks": endpoint.pk,
            "deliveries": Delivery.objects.get(endpoint=endpoint).pk,
            "keys": ApiKey.objects.get(business=other_business).pk,
            "requests": make_entry(other_business, path="/api/v1/theirs").pk,
            "members": Membership.objects.get(business=other_business).pk,
            "invitations": Invitation.objects.get(business=other_business).pk,
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
            ("get", f"/settings/keys/{theirs['keys']}/rotate"),
            ("get", f"/settings/webhooks/{theirs['webhooks']}/edit"),
            ("post", f"/settings/webhooks/{theirs['webhooks']}/replay"),
            ("get", f"/settings/requests/{theirs['requests']}"),
            ("post", f"/settings/members/{theirs['members']}/role"),
            ("post", f"/settings/members/{theirs['members']}/remove"),
            ("post", f"/settings/invitations/{theirs['invitations']}/revoke"),
        )
        for method, path in paths:
            assert getattr(owner, method)(path).status_code == 404, path
        pages = ("", "/webhooks", "/keys", "/requests", "/members", "/sandbox")
        for path in (f"/settings{page}" for page in pages):
            page = owner.get(path).content.decode()
            for text in (other_business.name, endpoint.url, "their-owner", "their@", "/theirs"):
                assert text not in page

    @pytest.mark.parametrize("pk", ("0", "x", "9" * 30, "1e3"))
    def test_an_invalid_id_is_not_found(self, owner, pk):
        assert owner.get(f"/settings/webhooks/{pk}").status_code == 404


class TestLooks:
    """What a page says where there is nothing, or where something is wrong."""

    def test_an_endpoint_that_failed_is_marked_as_bad(self, business, owner):
        for reason in ("failing", "paused"):
            factories.make_endpoint(business, is_active=False, disabled_reason=reason)
        for path in ("/settings", "/settings/webhooks"):
            page = owner.get(path).content.decode()
            assert '<span class="pill bad">Disabled: Failing' in page, path
            assert '<span class="pill warn">Disabled: Paused by a user' in page, path

    def test_the_dashed_line_is_explained_where_it_is_drawn(self, business, owner):
        assert "Dashed" not in owner.get("/settings").content.decode()
        usage = {"day": timezone.now().date(), "admitted": 90_000, "refused": 0}
        DailyUsage.objects.create(business=business, **usage)
        page = owner.get("/settings").content.decode()
        assert "stroke-dasharray" in page
        assert "Dashed" in page

    def test_a_business_without_members_says_so(self, business):
        superuser = as_(factories.make_user(is_superuser=True))
        assert "No members yet" in superuser.get("/settings/members").content.decode()

    def test_the_body_of_a_delivery_is_indented(self, business, owner):
        factories.make_endpoint(business)
        factories.make_event(business)
        page = owner.get(f"/settings/deliveries/{Delivery.objects.get().pk}").content.decode()
        assert re.search(r'^  <span class="nt">&quot;type&quot;</span>: ', page, re.M)
