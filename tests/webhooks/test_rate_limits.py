"""Rate limit per endpoint: never more requests in a period, and nothing lost."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from kaivox.db.transactions import write_transaction
from tests.factories import make_endpoint, make_event
from webhooks import operations
from webhooks.backlog import oldest_due_seconds
from webhooks.delivery_queue import claim_due, has_due
from webhooks.delivery_results import record_results
from webhooks.models import Attempt, AttemptOutcome, Delivery, Endpoint
from webhooks.rate_limits import next_limit_end
from webhooks.sender import DeliveryResult

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OK = DeliveryResult(AttemptOutcome.SUCCEEDED, 200)


def later(seconds):
    return NOW + timedelta(seconds=seconds)


def send(at, limit=100):
    """One round of a worker: claims what may be sent at `at` and records successes. How many."""
    with write_transaction():
        claims = claim_due(limit=limit, now=at)
        record_results([(claim, OK) for claim in claims], now=at)
    return len(claims)


@pytest.fixture
def limited(business):
    """An endpoint with 3 requests a minute, and five events."""
    endpoint = make_endpoint(business, max_in_flight=16, rate_limit=3)
    for _ in range(5):
        make_event(business, now=NOW)
    return endpoint


class TestClaims:
    def test_are_limited_in_any_period(self, limited):
        assert [send(later(s)) for s in (0, 0, 30, 59.9)] == [3, 0, 0, 0]
        assert [send(later(s)) for s in (60, 60, 119.9)] == [2, 0, 0]
        assert Delivery.objects.filter(status="succeeded").count() == 5

    def test_slide_with_the_oldest_request(self, limited):
        assert [send(later(s), limit=1) for s in (0, 20, 40, 59, 60)] == [1, 1, 1, 0, 1]
        assert [send(later(s)) for s in (79, 80)] == [0, 1]

    def test_wait_until_the_oldest_request_leaves_the_period(self, limited):
        send(NOW)
        assert next_limit_end(NOW) == later(60)
        assert not has_due(later(59))
        assert has_due(later(60))

    def test_are_not_limited_beside_it(self, limited, business):
        other = make_endpoint(business, max_in_flight=16)
        for _ in range(5):
            make_event(business, now=NOW)
        assert send(NOW) == 3 + 5
        assert Attempt.objects.filter(endpoint=other).count() == 5

    def test_count_test_events(self, limited):
        assert send(NOW) == 3
        operations.send_test_event(endpoint=limited, type="call.missed", now=NOW)
        assert send(later(30)) == 0

    def test_may_be_per_second(self, business):
        make_endpoint(business, rate_limit=1, rate_limit_period="second")
        for _ in range(2):
            make_event(business, now=NOW)
        assert [send(later(s)) for s in (0, 0.5, 1)] == [1, 0, 1]

    def test_leave_the_version_of_the_endpoint(self, limited):
        send(NOW)
        assert Endpoint.objects.get().updated_at == limited.updated_at

    def test_are_free_once_the_limit_is_removed(self, limited):
        send(NOW)
        operations.update_endpoint(endpoint=limited, rate_limit=0, now=NOW)
        assert send(later(1)) == 2

    def test_that_wait_are_not_late(self, limited):
        send(NOW)
        assert oldest_due_seconds(later(3000)) == 0


class TestDispatcher:
    def test_waits_for_the_end_of_a_second(self, business, receiver, deliver):
        make_endpoint(business, url=receiver.url, rate_limit=2, rate_limit_period="second")
        for _ in range(5):
            make_event(business)
        deliver()
        starts = sorted(Attempt.objects.values_list("started_at", flat=True))
        assert len(starts) == len(receiver.requests) == 5
        gaps = [third - first for first, third in zip(starts, starts[2:], strict=False)]
        assert min(gaps) >= timedelta(seconds=1)


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_workers_share_the_limit(self, business):
        endpoint = make_endpoint(business, max_in_flight=16, rate_limit=4)
        for _ in range(12):
            make_event(business, now=NOW)

        def work() -> None:
            try:
                for _ in range(5):
                    send(NOW)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Attempt.objects.filter(endpoint=endpoint).count() == 4
        assert Delivery.objects.filter(status="pending").count() == 8
