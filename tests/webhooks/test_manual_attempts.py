"""Manual and test attempts, and deliveries of a suspended business."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_endpoint, make_event
from webhooks.delivery_queue import MAX_LOST_ATTEMPTS, claim_due, release_expired_leases
from webhooks.models import Delivery, Endpoint
from webhooks.operations import redeliver, replay, update_endpoint

pytestmark = pytest.mark.django_db

HOOK = "/api/v1/webhooks"


@pytest.fixture
def endpoint(business, receiver):
    return make_endpoint(business, url=receiver.url)


class TestOpenBreaker:
    @pytest.fixture(autouse=True)
    def open_breaker(self, business, endpoint):
        make_event(business)
        until = timezone.now() + timedelta(minutes=10)
        Endpoint.objects.update(breaker_until=until, breaker_trips=3, failing_since=timezone.now())

    def test_delays_automatic_attempts(self):
        assert claim_due(limit=10, now=timezone.now()) == []

    def test_does_not_delay_a_test(self, client, endpoint):
        client.post(f"{HOOK}/{endpoint.pk}/test", {"event_type": "call.missed"})
        (claim,) = claim_due(limit=10, now=timezone.now())
        assert claim.trigger == "test"

    def test_does_not_delay_a_manual_attempt(self, client):
        delivery = Delivery.objects.get()
        client.post(f"{HOOK}/deliveries/{delivery.pk}/redeliver")
        (claim,) = claim_due(limit=10, now=timezone.now())
        assert (claim.trigger, claim.delivery_id) == ("manual", delivery.pk)

    def test_a_manual_success_closes_it(self, client, endpoint, deliver):
        client.post(f"{HOOK}/{endpoint.pk}/test", {"event_type": "call.missed"})
        deliver()
        endpoint.refresh_from_db()
        assert endpoint.breaker_until is None
        assert set(Delivery.objects.values_list("status", flat=True)) == {"succeeded"}


class TestOfASuccessfulDelivery:
    """What a subscriber has received is not missed, whatever becomes of another attempt."""

    @pytest.fixture
    def delivery(self, business, endpoint, deliver):
        make_event(business)
        deliver()
        delivery = Delivery.objects.get()
        assert delivery.status == "succeeded"
        return redeliver(delivery=delivery, now=timezone.now())

    def recovered(self, endpoint):
        since = timezone.now() - timedelta(hours=1)
        return replay(endpoint=endpoint, since=since, now=timezone.now())

    def test_it_stays_one_where_the_endpoint_is_switched_off(self, endpoint, delivery):
        endpoint = update_endpoint(endpoint=endpoint, is_active=False, now=timezone.now())
        delivery.refresh_from_db()
        assert delivery.status == "succeeded"
        endpoint = update_endpoint(endpoint=endpoint, is_active=True, now=timezone.now())
        assert self.recovered(endpoint) == 0

    def test_it_stays_one_where_workers_are_lost(self, endpoint, delivery):
        now = timezone.now()
        for _ in range(MAX_LOST_ATTEMPTS):
            assert claim_due(limit=10, now=now)
            now += timedelta(hours=1)
            assert release_expired_leases(now=now) == 1
        delivery.refresh_from_db()
        assert delivery.status == "succeeded"
        assert self.recovered(endpoint) == 0


class TestTestEvents:
    def test_are_marked_in_body_and_header(self, client, endpoint, receiver, deliver):
        client.post(f"{HOOK}/{endpoint.pk}/test", {"event_type": "call.missed"})
        deliver()
        (request,) = receiver.requests
        body = json.loads(request.body)
        assert list(body)[3:7] == ["business_id", "livemode", "test", "api_version"]
        assert body["test"] is True
        assert request.headers["X-KaiVox-Test"] == "1"

    def test_others_do_not(self, business, endpoint, receiver, deliver):
        make_event(business)
        deliver()
        (request,) = receiver.requests
        assert "test" not in json.loads(request.body)
        assert "X-KaiVox-Test" not in request.headers


class TestUnknownFields:
    @pytest.mark.parametrize("action", ("redeliver", "test", "rotate-secret", "recover"))
    def test_are_rejected_and_change_nothing(self, client, business, endpoint, action):
        make_event(business)
        before = Delivery.objects.values().get()
        path = (
            f"{HOOK}/deliveries/{before['id']}"
            if action == "redeliver"
            else f"{HOOK}/{endpoint.pk}"
        )
        body = {"test": {"event_type": "call.missed"}, "recover": {"since": "2026-01-01T00:00:00Z"}}
        response = client.post(f"{path}/{action}", {**body.get(action, {}), "colour": "red"})
        assert response.status_code == 422
        assert list(response.json()["errors"]) == ["colour"]
        assert Delivery.objects.values().get() == before

    @pytest.mark.parametrize("body", (None, {}))
    def test_an_empty_body_has_none(self, client, business, endpoint, body):
        make_event(business)
        path = f"{HOOK}/deliveries/{Delivery.objects.get().pk}/redeliver"
        assert client.post(path, body).status_code == 202


@pytest.mark.parametrize("path", ("{}/deliveries", "deliveries"))
@pytest.mark.parametrize("name", ("missed_call", "call.missed", "customer.created,missed_call"))
def test_the_log_accepts_the_alias_of_a_type(client, business, endpoint, path, name):
    make_event(business, type="call.missed")
    path = path.format(endpoint.pk)
    response = client.get(f"{HOOK}/{path}?event_type={name}")
    assert [row["event_type"] for row in response.json()["data"]] == ["call.missed"]


class TestSuspendedBusiness:
    def test_sends_nothing_until_it_is_active_again(self, business, endpoint, receiver, deliver):
        business.suspended_at = timezone.now()
        business.save()
        make_event(business)
        deliver()
        assert receiver.requests == []
        business.suspended_at = None
        business.save()
        deliver()
        assert len(receiver.requests) == 1
        assert Delivery.objects.get().status == "succeeded"
