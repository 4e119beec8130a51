"""`webhooks:*` alone reads no events, and an endpoint is paused when its key ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from kaivox.businesses.models import ApiKey
from kaivox.businesses.operations import change_api_key, revoke_api_key, rotate_api_key
from tests.factories import make_endpoint, make_event, make_key
from webhooks.authorization import pause_endpoints_of_ended_keys
from webhooks.delivery_queue import claim_due
from webhooks.models import Delivery, Endpoint
from webhooks.notifications import send_due_notifications
from webhooks.operations import replay

pytestmark = pytest.mark.django_db

HOOK = "/api/v1/webhooks"


@pytest.fixture
def with_scopes(business, client_of):
    def make(*scopes):
        return client_of(make_key(business, scopes=list(scopes)))

    return make


@pytest.fixture
def narrow(with_scopes):
    """A client with scopes for webhooks and customers."""
    return with_scopes("webhooks:read", "webhooks:write", "customers:read")


def lacks(response, scope):
    assert response.status_code == 403, response.content
    assert response.json()["code"] == "insufficient_scope"
    assert response.json()["meta"]["required_scope"] == scope
    assert scope in response.json()["message"]
    return True


class TestSubscribing:
    @pytest.mark.parametrize(
        ("names", "scope"),
        (
            (["appointment.booked"], "appointments:read"),
            (["customer.created", "missed_call"], "calls:read"),
            (["*"], "appointments:read"),
            (None, "appointments:read"),
        ),
    )
    def test_needs_the_scope_of_each_type(self, narrow, receiver, names, scope):
        body = {"url": receiver.url, **({} if names is None else {"event_types": names})}
        assert lacks(narrow.post(HOOK, body), scope)
        assert not Endpoint.objects.exists()

    def test_works_with_it(self, narrow, receiver):
        body = {"url": receiver.url, "event_types": ["customer.created"]}
        assert narrow.post(HOOK, body).status_code == 201

    @pytest.mark.parametrize(
        "body",
        (
            {"event_types": ["call.completed"]},
            {"url": "http://127.0.0.1:9/elsewhere"},
            {"is_active": True},
        ),
    )
    def test_applies_to_changes_of_where_events_are_sent(self, narrow, business, receiver, body):
        endpoint = make_endpoint(business, event_types=["call.completed"])
        assert lacks(narrow.patch(f"{HOOK}/{endpoint.pk}", body), "calls:read")

    def test_another_url_needs_those_of_its_former_subscription(self, narrow, business):
        endpoint = make_endpoint(business, event_types=["call.completed"])
        body = {"url": "http://127.0.0.1:9/elsewhere", "event_types": ["customer.created"]}
        assert lacks(narrow.patch(f"{HOOK}/{endpoint.pk}", body), "calls:read")

    def test_another_url_needs_those_of_events_that_wait(self, narrow, business, receiver):
        """They are sent to the URL that the endpoint has at the attempt."""
        endpoint = make_endpoint(business, event_types=["call.completed"])
        make_event(business, type="call.completed")
        path, body = f"{HOOK}/{endpoint.pk}", {"url": receiver.url}
        assert narrow.patch(path, {"event_types": ["customer.created"]}).status_code == 200
        assert lacks(narrow.patch(path, body), "calls:read")
        Delivery.objects.update(status="cancelled")
        assert narrow.patch(path, body).status_code == 200

    def test_another_url_of_all_types_needs_those_of_later_types_that_wait(
        self, with_scopes, business
    ):
        endpoint = make_endpoint(business)
        make_event(business, type="staff.updated")
        client = with_scopes("webhooks:write", *TestAllTypes.READS)
        body = {"url": "http://127.0.0.1:9/elsewhere"}
        assert lacks(client.patch(f"{HOOK}/{endpoint.pk}", body), "staff:read")

    def test_a_paused_one_can_be_moved_with_a_narrower_subscription(
        self, narrow, business, receiver
    ):
        endpoint = make_endpoint(
            business,
            event_types=["call.completed"],
            is_active=False,
            disabled_reason="key_revoked",
        )
        body = {"url": receiver.url, "event_types": ["customer.created"]}
        assert narrow.patch(f"{HOOK}/{endpoint.pk}", body).status_code == 200

    def test_other_changes_need_no_further_scope(self, narrow, business):
        endpoint = make_endpoint(business)
        body = {"description": "x", "is_active": False}
        assert narrow.patch(f"{HOOK}/{endpoint.pk}", body).status_code == 200


class TestAllTypes:
    """`*` of a key with the scopes that it needs at least, and of one with every scope."""

    READS = ("appointments:read", "calls:read", "customers:read")

    def subscribe(self, business, *scopes):
        make_key(business, name="*", scopes=["webhooks:write", *self.READS, *scopes])
        return make_endpoint(business, created_by_key=ApiKey.objects.get(name="*"))

    def test_can_be_subscribed_to_without_the_scopes_of_later_types(self, with_scopes, receiver):
        client = with_scopes("webhooks:write", *self.READS)
        assert client.post(HOOK, {"url": receiver.url}).status_code == 201

    def test_delivers_what_the_key_may_read(self, business):
        self.subscribe(business)
        make_event(business, type="service.updated")
        assert not Delivery.objects.exists()
        make_event(business, type="customer.created")
        assert Delivery.objects.get().event.type == "customer.created"

    def test_delivers_later_types_with_their_scope(self, business):
        self.subscribe(business, "services:read")
        make_event(business, type="service.updated")
        assert Delivery.objects.get().event.type == "service.updated"

    def test_replays_what_the_key_may_read(self, business):
        endpoint = self.subscribe(business)
        Endpoint.objects.update(is_active=False, disabled_reason="paused")
        for type in ("service.updated", "customer.created"):
            make_event(business, type=type)
        Endpoint.objects.update(is_active=True, disabled_reason="")
        endpoint.refresh_from_db()
        now = timezone.now() + timedelta(seconds=1)
        assert replay(endpoint=endpoint, since=now - timedelta(hours=1), now=now) == 1
        assert Delivery.objects.get().event.type == "customer.created"

    def test_of_a_person_delivers_all(self, business):
        make_endpoint(business)
        make_event(business, type="service.updated")
        assert Delivery.objects.exists()


class TestRedelivery:
    @pytest.fixture
    def delivery(self, business):
        make_endpoint(business)
        make_event(business, type="call.completed")
        return Delivery.objects.get()

    def test_recovering_needs_the_scopes_of_the_subscription(self, narrow, delivery):
        body = {"since": "2026-01-01T00:00:00Z"}
        path = f"{HOOK}/{delivery.endpoint_id}/recover"
        assert lacks(narrow.post(path, body), "appointments:read")

    def test_redelivering_needs_that_of_the_event(self, narrow, delivery):
        path = f"{HOOK}/deliveries/{delivery.pk}/redeliver"
        assert lacks(narrow.post(path), "calls:read")

    def test_a_test_event_needs_it_too(self, narrow, delivery):
        path = f"{HOOK}/{delivery.endpoint_id}/test"
        assert lacks(narrow.post(path, {"event_type": "missed_call"}), "calls:read")
        assert narrow.post(path, {"event_type": "customer.created"}).status_code == 202

    def test_reading_a_body_needs_it_and_the_log_does_not(self, narrow, delivery):
        assert lacks(narrow.get(f"{HOOK}/deliveries/{delivery.pk}"), "calls:read")
        assert narrow.get(f"{HOOK}/deliveries").json()["meta"]["total"] == 1


class TestWithoutRead:
    def test_an_empty_patch_shows_the_id_alone(self, with_scopes, business):
        endpoint = make_endpoint(business)
        shown = with_scopes("webhooks:write").patch(f"{HOOK}/{endpoint.pk}", {}).json()["data"]
        assert shown == {"id": endpoint.pk}

    def test_rotating_shows_the_new_secret_and_not_the_url(self, with_scopes, business):
        endpoint = make_endpoint(business)
        response = with_scopes("webhooks:write").post(f"{HOOK}/{endpoint.pk}/rotate-secret", {})
        shown = response.json()["data"]
        assert shown.keys() == {"id", "secret", "previous_secret_expires_at"}

    def test_redelivering_shows_no_log(self, with_scopes, business):
        make_endpoint(business)
        make_event(business)
        delivery = Delivery.objects.get()
        client = with_scopes("webhooks:write", "customers:read")
        shown = client.post(f"{HOOK}/deliveries/{delivery.pk}/redeliver").json()["data"]
        assert shown.keys() == {"id", "status", "next_attempt_at"}


class TestKeyOfAnEndpoint:
    @pytest.fixture
    def endpoint(self, client, receiver):
        created = client.post(HOOK, {"url": receiver.url}).json()["data"]
        assert created["created_by"]["type"] == "api_key"
        return Endpoint.objects.get()

    @pytest.fixture
    def key(self, endpoint):
        return endpoint.created_by_key

    def state(self, business, client_of):
        response = client_of(make_key(business)).get(HOOK)
        (shown,) = response.json()["data"]
        return shown["is_active"], shown["disabled_reason"]

    def test_pauses_it_when_revoked(self, business, client_of, endpoint, key):
        make_event(business)
        revoke_api_key(key_id=key.pk, now=timezone.now())
        assert self.state(business, client_of) == (False, "key_revoked")
        assert Delivery.objects.get().status == "cancelled"

    def test_pauses_it_when_it_may_no_longer_read_its_events(
        self, business, client_of, endpoint, key
    ):
        scopes = ["webhooks:write", "appointments:read", "customers:read", "calls:read"]
        change_api_key(key_id=key.pk, scopes=scopes, now=timezone.now())
        assert self.state(business, client_of) == (True, None)
        change_api_key(key_id=key.pk, scopes=scopes[:-1], now=timezone.now())
        assert self.state(business, client_of) == (False, "key_revoked")

    def test_sends_nothing_from_its_expiry_on(self, business, client_of, endpoint, key):
        make_event(business)
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
        assert claim_due(limit=1, now=timezone.now()) == []
        assert pause_endpoints_of_ended_keys(now=timezone.now()) == 1
        assert self.state(business, client_of) == (False, "key_revoked")

    def test_rotation_passes_it_to_the_new_key(self, business, endpoint, key):
        issued = rotate_api_key(key_id=key.pk, now=timezone.now(), grace=timedelta(0))
        endpoint.refresh_from_db()
        assert endpoint.is_active
        assert endpoint.created_by_key == issued.key
        assert pause_endpoints_of_ended_keys(now=timezone.now()) == 0

    def test_endpoints_without_a_key_stay_active(self, business, endpoint, key):
        other = make_endpoint(business)
        revoke_api_key(key_id=key.pk, now=timezone.now())
        assert pause_endpoints_of_ended_keys(now=timezone.now()) == 0
        other.refresh_from_db()
        assert other.is_active

    def test_switching_it_on_makes_the_key_its_creator(self, business, client_of, endpoint, key):
        revoke_api_key(key_id=key.pk, now=timezone.now())
        client = client_of(make_key(business, name="BI"))
        resumed = client.patch(f"{HOOK}/{endpoint.pk}", {"is_active": True}).json()["data"]
        assert (resumed["is_active"], resumed["created_by"]["name"]) == (True, "BI")
        make_event(business)
        assert len(claim_due(limit=1, now=timezone.now())) == 1

    def test_the_business_is_e_mailed(self, business, endpoint, key):
        type(business).objects.update(contact_email="owner@example.com")
        revoke_api_key(key_id=key.pk, now=timezone.now())
        assert send_due_notifications(now=timezone.now()) == 1
        assert "API key" in mail.outbox[-1].body
