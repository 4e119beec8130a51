"""Endpoints, test events and the delivery log over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from kaivox.api.fields import format_instant
from kaivox.businesses.models import AuditEntry
from tests.factories import make_endpoint, make_event
from tests.webhooks.receivers import Reply
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(business, receiver):
    return make_endpoint(business, url=receiver.url)


class TestCreate:
    def test_shows_the_secret_once(self, client, receiver):
        response = client.post("/api/v1/webhooks", {"url": receiver.url})
        assert response.status_code == 201
        created = response.json()["data"]
        assert created["secret"].startswith("whsec_")
        assert created["event_types"] == ["*"]
        shown = client.get(response["Location"]).json()["data"]
        assert shown == {name: value for name, value in created.items() if name != "secret"}

    def test_one_that_is_registered_switched_off_is_never_on(self, client, receiver):
        response = client.post("/api/v1/webhooks", {"url": receiver.url, "is_active": False})
        created = response.json()["data"]
        assert (created["is_active"], created["disabled_reason"]) == (False, "paused")
        actions = AuditEntry.objects.filter(action__startswith="webhook.")
        assert list(actions.values_list("action", flat=True)) == ["webhook.added"]

    def test_reads_missed_call_as_call_missed(self, client, receiver):
        body = {"url": receiver.url, "event_types": ["missed_call", "call.completed"]}
        created = client.post("/api/v1/webhooks", body).json()["data"]
        assert created["event_types"] == ["call.missed", "call.completed"]

    def test_accepts_events_as_an_alias(self, client, receiver):
        body = {"url": receiver.url, "events": ["customer.created"]}
        created = client.post("/api/v1/webhooks", body).json()["data"]
        assert created["event_types"] == ["customer.created"]

    @pytest.mark.parametrize(
        ("body", "field"),
        (
            ({}, "url"),
            ({"url": "ftp://example.com/"}, "url"),
            ({"url": "https://user:pass@example.com/"}, "url"),
            ({"url": "https://169.254.169.254/latest"}, "url"),
            ({"url": "http://127.0.0.1/", "event_types": []}, "event_types"),
            ({"url": "http://127.0.0.1/", "event_types": ["call.lost"]}, "event_types"),
            ({"url": "http://127.0.0.1/", "events": ["*"], "event_types": ["*"]}, "events"),
            ({"url": "http://127.0.0.1/", "max_in_flight": 17}, "max_in_flight"),
            ({"url": "http://127.0.0.1/", "colour": "red"}, "colour"),
        ),
    )
    def test_rejects_invalid_values_by_field(self, client, receiver, body, field):
        response = client.post("/api/v1/webhooks", body)
        assert response.status_code == 422
        assert list(response.json()["errors"]) == [field]
        assert not Endpoint.objects.exists()

    def test_rejects_private_receivers_unless_allowed(self, client, settings):
        settings.WEBHOOK_ALLOW_PRIVATE = False
        response = client.post("/api/v1/webhooks", {"url": "https://10.1.2.3/"})
        assert response.status_code == 422
        assert "10.1.2.3" not in response.json()["errors"]["url"][0]


class TestChange:
    def test_switching_off_cancels_pending_deliveries(self, client, business, endpoint):
        make_event(business)
        response = client.patch(f"/api/v1/webhooks/{endpoint.pk}", {"is_active": False})
        assert response.json()["data"]["disabled_reason"] == "paused"
        assert Delivery.objects.get().status == "cancelled"

    def test_rejects_a_lost_update(self, client, endpoint):
        path = f"/api/v1/webhooks/{endpoint.pk}"
        seen = client.get(path)["ETag"]
        first = client.patch(path, {"description": "one"}, headers={"If-Match": seen})
        second = client.patch(path, {"description": "two"}, headers={"If-Match": seen})
        assert (first.status_code, second.status_code) == (200, 412)

    def test_deletes(self, client, endpoint):
        path = f"/api/v1/webhooks/{endpoint.pk}"
        assert client.delete(path).json()["data"] == {"id": endpoint.pk, "deleted": True}
        assert client.get(path).status_code == 404
        assert client.get("/api/v1/webhooks").json()["data"] == []


class TestTestEvent:
    def test_is_sent_to_this_endpoint_only(self, client, business, endpoint, receiver, deliver):
        make_endpoint(business, url=receiver.url + "/other")
        path = f"/api/v1/webhooks/{endpoint.pk}/test"
        response = client.post(path, {"event_type": "call.missed"})
        assert response.status_code == 202
        deliver()
        (request,) = receiver.requests
        assert request.headers["X-KaiVox-Event"] == "call.missed"
        detail = client.get(f"/api/v1/webhooks/deliveries/{response.json()['data']['id']}")
        attempt = detail.json()["data"]["attempts"][0]
        assert (attempt["trigger"], attempt["http_status"]) == ("test", 200)

    @pytest.mark.parametrize("body", ({}, {"event_type": "x"}, {"event_type": "*"}))
    def test_rejects_unknown_types(self, client, endpoint, body):
        response = client.post(f"/api/v1/webhooks/{endpoint.pk}/test", body)
        assert response.status_code == 422
        assert list(response.json()["errors"]) == ["event_type"]


class TestRotateSecret:
    def test_signs_with_both_during_the_grace_period(
        self, client, business, endpoint, receiver, deliver
    ):
        path = f"/api/v1/webhooks/{endpoint.pk}/rotate-secret"
        rotated = client.post(path, {"grace_seconds": 3600}).json()["data"]
        assert rotated["secret"] != endpoint.secret
        make_event(business)
        deliver()
        make_event(business, now=timezone.now() + timedelta(hours=2))
        deliver(timezone.now() + timedelta(hours=2))
        during, after = receiver.requests
        assert during.headers["X-KaiVox-Signature"].count("v1=") == 2
        assert after.headers["X-KaiVox-Signature"].count("v1=") == 1

    def test_rejects_a_grace_of_more_than_a_week(self, client, endpoint):
        path = f"/api/v1/webhooks/{endpoint.pk}/rotate-secret"
        assert client.post(path, {"grace_seconds": 604_801}).status_code == 422


class TestLog:
    def test_lists_the_deliveries_of_an_endpoint(self, client, business, endpoint, deliver):
        make_event(business)
        deliver()
        path = f"/api/v1/webhooks/{endpoint.pk}/deliveries"
        (row,) = client.get(path).json()["data"]
        assert (row["status"], row["http_status"], row["attempt_count"]) == ("succeeded", 200, 1)
        since = format_instant(timezone.now() + timedelta(hours=1))
        for query in ("status=pending,exhausted", "event_type=call.missed", f"since={since}"):
            assert client.get(f"{path}?{query}").json()["data"] == []
        assert client.get(f"{path}?stauts=pending").status_code == 422

    def test_shows_every_attempt_and_the_event(self, client, business, endpoint, receiver, deliver):
        receiver.respond_with(Reply(500, body=b"oh \x00 \xff"), 200)
        event = make_event(business)
        deliver()
        deliver(timezone.now() + timedelta(minutes=1))
        delivery = Delivery.objects.get()
        shown = client.get(f"/api/v1/webhooks/deliveries/{delivery.pk}").json()["data"]
        assert [a["http_status"] for a in shown["attempts"]] == [500, 200]
        assert shown["attempts"][0]["response_body"] == "oh \x00 �"
        assert shown["event"]["id"] == event.uid

    def test_costs_three_queries_however_many_rows(
        self, client, business, endpoint, django_assert_max_num_queries
    ):
        for _ in range(10):
            make_event(business)
        client.get("/api/v1/webhooks/deliveries")
        with django_assert_max_num_queries(3):
            client.get("/api/v1/webhooks/deliveries?per_page=10")


class TestRedeliver:
    def test_sends_the_same_bytes_again(self, client, business, endpoint, receiver, deliver):
        make_event(business)
        deliver()
        delivery = Delivery.objects.get()
        response = client.post(f"/api/v1/webhooks/deliveries/{delivery.pk}/redeliver")
        assert response.status_code == 202
        deliver()
        first, second = receiver.requests
        assert first.body == second.body
        assert second.headers["X-KaiVox-Attempt"] == "2"
        assert delivery.attempts.get(number=2).trigger == "manual"

    def test_rejects_while_one_is_in_flight(self, client, business, endpoint):
        from webhooks.delivery_queue import claim_due

        make_event(business)
        claim_due(limit=1, now=timezone.now())
        path = f"/api/v1/webhooks/deliveries/{Delivery.objects.get().pk}/redeliver"
        response = client.post(path)
        assert (response.status_code, response.json()["code"]) == (409, "delivery_in_flight")

    def test_rejects_if_the_endpoint_is_off(self, client, business, endpoint):
        make_event(business)
        client.patch(f"/api/v1/webhooks/{endpoint.pk}", {"is_active": False})
        path = f"/api/v1/webhooks/deliveries/{Delivery.objects.get().pk}/redeliver"
        response = client.post(path)
        assert (response.status_code, response.json()["code"]) == (422, "endpoint_disabled")


class TestRecover:
    def test_replays_what_was_missed_once(self, client, business, endpoint, receiver, deliver):
        path = f"/api/v1/webhooks/{endpoint.pk}"
        begin = format_instant(timezone.now() - timedelta(minutes=1))
        make_event(business)
        client.patch(path, {"is_active": False})
        make_event(business)
        assert client.post(f"{path}/recover", {"since": begin}).status_code == 422
        client.patch(path, {"is_active": True})
        responses = [client.post(f"{path}/recover", {"since": begin}) for _ in range(2)]
        assert [response.json()["data"]["replayed"] for response in responses] == [2, 0]
        deliver()
        assert len(receiver.requests) == 2


class TestHealth:
    def test_has_rate_and_last_failure(self, client, business, endpoint, receiver, deliver):
        receiver.respond_with(500, 200)
        make_event(business)
        deliver()
        make_event(business)
        deliver()
        health = client.get(f"/api/v1/webhooks/{endpoint.pk}/health").json()["data"]
        assert (health["attempts"], health["success_rate"], health["waiting"]) == (2, 0.5, 1)
        assert health["last_failure"]["http_status"] == 500


class TestEventTypes:
    def test_lists_all_with_examples(self, client):
        found = client.get("/api/v1/webhooks/event-types").json()["data"]
        assert [kind["name"] for kind in found] == list(EVENT_TYPES)
        assert all(kind["example"]["id"] for kind in found)


class TestOtherBusinesses:
    def test_find_nothing(self, stranger, business, endpoint):
        make_event(business)
        delivery = Delivery.objects.get().pk
        paths = [
            ("get", f"/api/v1/webhooks/{endpoint.pk}"),
            ("patch", f"/api/v1/webhooks/{endpoint.pk}"),
            ("delete", f"/api/v1/webhooks/{endpoint.pk}"),
            ("post", f"/api/v1/webhooks/{endpoint.pk}/test"),
            ("post", f"/api/v1/webhooks/{endpoint.pk}/rotate-secret"),
            ("post", f"/api/v1/webhooks/{endpoint.pk}/recover"),
            ("get", f"/api/v1/webhooks/{endpoint.pk}/health"),
            ("get", f"/api/v1/webhooks/{endpoint.pk}/deliveries"),
            ("get", f"/api/v1/webhooks/deliveries/{delivery}"),
            ("post", f"/api/v1/webhooks/deliveries/{delivery}/redeliver"),
        ]
        for method, path in paths:
            assert getattr(stranger, method)(path).status_code == 404, path
        assert stranger.get("/api/v1/webhooks").json()["data"] == []
