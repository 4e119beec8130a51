"""Delivery end to end: from the outbox through real sockets to the log of attempts."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_endpoint, make_event
from tests.webhooks.receivers import Reply
from webhooks import signing
from webhooks.models import Attempt, Delivery

pytestmark = pytest.mark.django_db


class TestDelivery:
    def test_posts_the_frozen_body_with_both_signatures(self, business, receiver, deliver):
        endpoint = make_endpoint(business, url=receiver.url)
        event = make_event(business)
        deliver()
        (request,) = receiver.requests
        assert request.body == bytes(event.body)
        assert request.headers["webhook-id"] == json.loads(request.body)["id"] == event.uid
        assert signing.verify(
            request.body,
            request.headers["X-KaiVox-Signature"],
            endpoint.secret,
            now=timezone.now().timestamp(),
        )

    def test_logs_what_was_sent_and_what_came_back(self, business, receiver, deliver):
        receiver.respond_with(Reply(201, body=b"\x00<script>"))
        make_endpoint(business, url=receiver.url)
        make_event(business)
        deliver()
        attempt = Attempt.objects.get()
        assert (attempt.outcome, attempt.http_status, attempt.number) == ("succeeded", 201, 1)
        assert bytes(attempt.response_body) == b"\x00<script>"
        sent = {name.lower(): value for name, value in receiver.requests[0].headers.items()}
        assert {name.lower(): value for name, value in attempt.request_headers.items()} == sent
        assert Delivery.objects.get().status == "succeeded"

    def test_retries_three_times_then_is_exhausted(self, business, receiver, deliver):
        receiver.respond_with(500)
        make_endpoint(business, url=receiver.url)
        now = timezone.now()
        make_event(business, now=now)
        for hours in range(6):
            deliver(now + timedelta(hours=2 * hours))
        assert [a.number for a in Attempt.objects.order_by("number")] == [1, 2, 3, 4]
        assert len({request.body for request in receiver.requests}) == 1
        assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 4
        assert Delivery.objects.get().status == "exhausted"

    def test_sends_an_event_once_to_each_subscriber(self, business, receiver, deliver):
        make_endpoint(business, url=receiver.url + "/a", event_types=["customer.created"])
        make_endpoint(business, url=receiver.url + "/b")
        make_endpoint(business, url=receiver.url + "/c", event_types=["call.missed"])
        make_event(business)
        deliver()
        assert sorted(request.path for request in receiver.requests) == ["/hook/a", "/hook/b"]
