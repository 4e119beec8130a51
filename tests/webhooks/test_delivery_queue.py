"""Claims, leases and recorded results, step by step."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from kaivox.db.transactions import write_transaction
from tests.appointments.faults import at_statement
from tests.factories import make_business, make_endpoint, make_event
from webhooks.delivery_queue import (
    MAX_LOST_ATTEMPTS,
    claim_due,
    release_expired_leases,
)
from webhooks.delivery_results import record_results
from webhooks.dispatcher import Dispatcher
from webhooks.models import Attempt, AttemptOutcome, Delivery, Endpoint
from webhooks.sender import DeliveryResult

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OK = DeliveryResult(AttemptOutcome.SUCCEEDED, 200)
FAILED = DeliveryResult(AttemptOutcome.HTTP_ERROR, 500)


@pytest.fixture
def endpoint(business):
    return make_endpoint(business, max_in_flight=4)


def later(**delta):
    return NOW + timedelta(**delta)


class TestClaimDue:
    def test_writes_the_attempt_before_anything_is_sent(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=10, now=NOW)
        attempt = Attempt.objects.get()
        assert (attempt.outcome, attempt.number) == ("in_flight", 1)
        assert attempt.request_headers["X-KaiVox-Attempt"] == "1"
        assert Delivery.objects.get().lease_token == claim.token

    def test_claims_nothing_twice(self, business, endpoint):
        make_event(business, now=NOW)
        assert len(claim_due(limit=10, now=NOW)) == 1
        assert claim_due(limit=10, now=NOW) == []

    def test_claims_nothing_early(self, business, endpoint):
        make_event(business, now=later(seconds=1))
        assert claim_due(limit=10, now=NOW) == []

    def test_respects_the_limit_in_flight(self, business, endpoint):
        for _ in range(6):
            make_event(business, now=NOW)
        assert len(claim_due(limit=3, now=NOW)) == 3
        assert len(claim_due(limit=10, now=NOW)) == 1
        assert claim_due(limit=10, now=NOW) == []

    def test_serves_endpoints_round_robin(self, endpoint, business):
        for _ in range(10):
            make_event(business, now=NOW)
        other = make_endpoint(make_business())
        make_event(other.business, now=NOW)
        served = {claim.endpoint_id for claim in claim_due(limit=2, now=NOW)}
        assert served == {endpoint.pk, other.pk}

    def test_skips_endpoints_that_are_off_or_have_an_open_breaker(self, business, endpoint):
        make_event(business, now=NOW)
        Endpoint.objects.update(breaker_until=later(seconds=1), breaker_trips=1)
        assert claim_due(limit=10, now=NOW) == []
        Endpoint.objects.update(is_active=False, disabled_reason="paused", breaker_until=None)
        assert claim_due(limit=10, now=NOW) == []

    def test_probes_a_half_open_breaker_with_one_request(self, business, endpoint):
        for _ in range(3):
            make_event(business, now=NOW)
        Endpoint.objects.update(breaker_until=NOW, breaker_trips=1)
        assert len(claim_due(limit=10, now=NOW)) == 1

    def test_skips_endpoints_at_their_limit(self, business, endpoint):
        for _ in range(5):
            make_event(business, now=NOW)
        claim_due(limit=4, now=NOW)
        other = make_endpoint(make_business())
        make_event(other.business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        assert claim.endpoint_id == other.pk

    def test_an_unreadable_secret_delays_only_its_endpoint(
        self, business, endpoint, settings, caplog, monkeypatch
    ):
        monkeypatch.setattr(
            "webhooks.delivery_queue.logged_endpoints", set()
        )  # ids repeat in each test
        make_event(business, now=NOW)
        settings.SECRET_KEY = "another" * 10
        other = make_endpoint(make_business())
        make_event(other.business, now=NOW)
        (claim,) = claim_due(limit=10, now=NOW)
        assert claim.endpoint_id == other.pk
        assert f"Webhooks to endpoint {endpoint.pk} wait" in caplog.text

    def test_limits_the_share_of_failing_endpoints(self, business, endpoint):
        failing = make_endpoint(make_business(), failing_since=NOW)
        for owner in (business, failing.business):
            for _ in range(4):
                make_event(owner, now=NOW)
        claims = claim_due(limit=10, max_failing=1, now=NOW)
        assert Counter(claim.endpoint_is_failing for claim in claims) == {False: 4, True: 1}
        assert claim_due(limit=10, max_failing=0, now=NOW) == []


class TestRecordResults:
    def test_a_success_is_final(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        assert record_results([(claim, OK)], now=NOW) is None
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.delivered_at, delivery.lease_token) == (
            "succeeded",
            NOW,
            None,
        )

    def test_a_failure_schedules_a_retry(self, business, endpoint, settings):
        settings.WEBHOOK_RETRY_SCHEDULE = [30]
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        planned = record_results([(claim, FAILED)], now=NOW)
        assert later(seconds=24) <= planned <= later(seconds=36)
        assert Delivery.objects.get().next_attempt_at == planned

    @pytest.mark.parametrize("status", (429, 503))
    def test_retry_after_of_429_and_503_is_respected(self, business, endpoint, status):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        asked = DeliveryResult(AttemptOutcome.HTTP_ERROR, status, retry_after="600")
        assert record_results([(claim, asked)], now=NOW) == later(seconds=600)

    def test_retry_after_of_other_statuses_is_ignored(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        asked = DeliveryResult(AttemptOutcome.HTTP_ERROR, 500, retry_after="600")
        assert record_results([(claim, asked)], now=NOW) < later(seconds=40)

    def test_an_impossible_retry_after_is_ignored(self, business):
        """The results of other endpoints, recorded together with it, are stored."""
        make_endpoint(business, url="https://one.example/")
        make_endpoint(business, url="https://two.example/")
        make_event(business, now=NOW)
        odd, fine = claim_due(limit=2, now=NOW)
        asked = "Sun, 01 Mar 99999999999999999999 12:00:00 GMT"
        busy = DeliveryResult(AttemptOutcome.HTTP_ERROR, 503, retry_after=asked)
        assert record_results([(odd, busy), (fine, OK)], now=NOW) < later(seconds=40)
        assert set(Delivery.objects.values_list("status", flat=True)) == {"pending", "succeeded"}

    def test_a_blocked_destination_is_not_retried(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        assert (
            record_results([(claim, DeliveryResult(AttemptOutcome.BLOCKED_DESTINATION))], now=NOW)
            is None
        )
        assert Delivery.objects.get().status == "exhausted"

    def test_is_ignored_after_its_lease(self, business, endpoint):
        make_event(business, now=NOW)
        (lost,) = claim_due(limit=1, now=NOW)
        release_expired_leases(now=later(minutes=2))
        (mine,) = claim_due(limit=1, now=later(minutes=2))
        record_results([(lost, OK)], now=later(minutes=2))
        assert Delivery.objects.get().status == "in_flight"
        record_results([(mine, OK)], now=later(minutes=2))
        outcomes = Attempt.objects.order_by("number").values_list("outcome", flat=True)
        assert list(outcomes) == ["worker_lost", "succeeded"]

    def test_is_ignored_after_its_lease_beside_the_one_that_holds_it(self, business, endpoint):
        make_event(business, now=NOW)
        (lost,) = claim_due(limit=1, now=NOW)
        release_expired_leases(now=later(minutes=2))
        (mine,) = claim_due(limit=1, now=later(minutes=2))
        record_results([(lost, FAILED), (mine, OK)], now=later(minutes=2))
        outcomes = Attempt.objects.order_by("number").values_list("outcome", flat=True)
        assert list(outcomes) == ["worker_lost", "succeeded"]

    def test_a_success_beside_a_failure_leaves_one_failure(self, business, endpoint):
        Endpoint.objects.update(exhausted_in_a_row=3, failing_since=later(days=-1))
        for _ in range(2):
            make_event(business, now=NOW)
        claims = claim_due(limit=2, now=NOW)
        record_results(list(zip(claims, (FAILED, OK), strict=True)), now=NOW)
        endpoint.refresh_from_db()
        assert (endpoint.exhausted_in_a_row, endpoint.failing_since) == (0, NOW)

    def test_a_manual_attempt_changes_no_schedule(self, business, endpoint):
        from webhooks.operations import redeliver

        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        planned = record_results([(claim, FAILED)], now=NOW)
        redeliver(delivery=Delivery.objects.get(), now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        record_results([(claim, FAILED)], now=NOW)
        delivery = Delivery.objects.get()
        assert (delivery.next_attempt_at, delivery.failure_count) == (planned, 1)
        assert delivery.status == "pending"
        (claim,) = claim_due(limit=1, now=planned)
        assert claim.trigger == "auto"

    def test_a_manual_failure_after_a_success_changes_nothing(self, business, endpoint):
        from webhooks.operations import redeliver

        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        record_results([(claim, OK)], now=NOW)
        redeliver(delivery=Delivery.objects.get(), now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        record_results([(claim, FAILED)], now=NOW)
        assert Delivery.objects.get().status == "succeeded"


class TestReleaseExpiredLeases:
    def test_makes_it_due_again_and_costs_no_retry(self, business, endpoint):
        make_event(business, now=NOW)
        claim_due(limit=1, now=NOW)
        assert release_expired_leases(now=NOW) == 0
        assert release_expired_leases(now=later(minutes=2)) == 1
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.failure_count) == ("pending", 0)
        assert Attempt.objects.get().outcome == "worker_lost"

    def test_ends_after_five_lost_workers(self, business, endpoint):
        make_event(business, now=NOW)
        for hour in range(MAX_LOST_ATTEMPTS):
            assert len(claim_due(limit=1, now=later(hours=hour))) == 1
            release_expired_leases(now=later(hours=hour, minutes=30))
        assert Delivery.objects.get().status == "exhausted"


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_each_event_is_sent_exactly_once(self, receiver):
        """Dispatchers and sweeps run concurrently, as on several machines."""
        businesses = [make_business() for _ in range(4)]
        for business in businesses:
            make_endpoint(business, url=receiver.url, max_in_flight=3)
            for _ in range(25):
                make_event(business)

        def work() -> None:
            try:
                release_expired_leases(now=timezone.now())
                Dispatcher().run()
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        seen = Counter(request.headers["webhook-id"] for request in receiver.requests)
        assert (len(seen), set(seen.values())) == (100, {1})
        assert Attempt.objects.filter(outcome="succeeded").count() == 100

    def test_never_more_in_flight_than_allowed(self, receiver, business):
        make_endpoint(business, url=receiver.url, max_in_flight=2)
        for _ in range(20):
            make_event(business)
        claimed: list[int] = []

        def claim() -> None:
            try:
                claimed.append(len(claim_due(limit=10, now=timezone.now())))
            finally:
                connection.close()

        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sum(claimed) == 2

    def test_workers_whose_endpoints_fail_and_recover_wait_for_each_other(self, business):
        one, other = (make_endpoint(business, failing_since=NOW) for _ in range(2))
        for _ in range(2):
            make_event(business, now=NOW)
        claims = {endpoint.pk: [] for endpoint in (one, other)}
        for claim in claim_due(limit=4, now=NOW):
            claims[claim.endpoint_id].append(claim)
        both_wrote = threading.Barrier(2)

        def await_other():
            with suppress(threading.BrokenBarrierError):  # the other one waits for a lock
                both_wrote.wait(timeout=0.5)

        def record(recovered, failing):
            results = [(claims[recovered.pk].pop(), OK), (claims[failing.pk].pop(), FAILED)]
            try:
                with at_statement('UPDATE "webhooks_endpoint"', after=await_other):
                    record_results(results, now=NOW)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(record, (one, other), (other, one)))
        assert Counter(Delivery.objects.values_list("status", flat=True)) == {
            "succeeded": 2,
            "pending": 2,
        }

    def test_waits_for_the_locks_of_a_concurrent_claim(self, receiver, business):
        """Locks last for milliseconds: a dispatcher that exited would miss everything due after them."""
        endpoint = make_endpoint(business, url=receiver.url)
        make_event(business)
        locked, may_commit = threading.Event(), threading.Event()

        def hold() -> None:
            try:
                with write_transaction():
                    Endpoint.objects.select_for_update().get(pk=endpoint.pk)
                    locked.set()
                    # SQLite's writers wait for each other before they read the clock.
                    may_commit.wait(0.04 if connection.vendor == "sqlite" else 30)
            finally:
                connection.close()

        claims = itertools.count(1)

        def clock() -> datetime:
            if next(claims) == 2:  # the first found the endpoint locked
                may_commit.set()
                other.join(30)
            return timezone.now()

        other = threading.Thread(target=hold)
        other.start()
        assert locked.wait(30)
        Dispatcher(clock).run()
        other.join(30)
        assert len(receiver.requests) == 1
