"""Claims, leases, settling: the steps by themselves."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from kaivox.businesses.write_lock import write_transaction
from tests.factories import make_business, make_endpoint, make_event
from webhooks.delivery import Answer
from webhooks.dispatch import Dispatcher
from webhooks.models import Attempt, Delivery, Endpoint, Outcome
from webhooks.outbox import LOSSES_AT_MOST, claim_due, release_lost, settle

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OK = Answer(Outcome.SUCCEEDED, 200)
FAILED = Answer(Outcome.HTTP_ERROR, 500)


@pytest.fixture
def endpoint(business):
    return make_endpoint(business, max_in_flight=4)


def later(**passed):
    return NOW + timedelta(**passed)


class TestClaimDue:
    def test_writes_the_attempt_before_anything_is_sent(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=10, now=NOW)
        attempt = Attempt.objects.get()
        assert (attempt.outcome, attempt.number) == ("in_flight", 1)
        assert attempt.request_headers["X-KaiVox-Attempt"] == "1"
        assert Delivery.objects.get().lease_token == claim.token

    def test_takes_nothing_twice(self, business, endpoint):
        make_event(business, now=NOW)
        assert len(claim_due(limit=10, now=NOW)) == 1
        assert claim_due(limit=10, now=NOW) == []

    def test_takes_nothing_early(self, business, endpoint):
        make_event(business, now=later(seconds=1))
        assert claim_due(limit=10, now=NOW) == []

    def test_keeps_to_what_an_endpoint_may_have_in_flight(self, business, endpoint):
        for _ in range(6):
            make_event(business, now=NOW)
        assert len(claim_due(limit=3, now=NOW)) == 3
        assert len(claim_due(limit=10, now=NOW)) == 1
        assert claim_due(limit=10, now=NOW) == []

    def test_serves_every_endpoint_in_turn(self, endpoint, business):
        for _ in range(10):
            make_event(business, now=NOW)
        other = make_endpoint(make_business())
        make_event(other.business, now=NOW)
        served = {claim.endpoint_id for claim in claim_due(limit=2, now=NOW)}
        assert served == {endpoint.pk, other.pk}

    def test_leaves_endpoints_alone_that_are_off_or_held_back(self, business, endpoint):
        make_event(business, now=NOW)
        Endpoint.objects.update(breaker_until=later(seconds=1), breaker_trips=1)
        assert claim_due(limit=10, now=NOW) == []
        Endpoint.objects.update(is_active=False, disabled_reason="paused", breaker_until=None)
        assert claim_due(limit=10, now=NOW) == []

    def test_probes_with_one_after_the_breaker_was_open(self, business, endpoint):
        for _ in range(3):
            make_event(business, now=NOW)
        Endpoint.objects.update(breaker_until=NOW, breaker_trips=1)
        assert len(claim_due(limit=10, now=NOW)) == 1

    def test_endpoints_without_room_take_nobodys_turn(self, business, endpoint):
        for _ in range(5):
            make_event(business, now=NOW)
        claim_due(limit=4, now=NOW)
        other = make_endpoint(make_business())
        make_event(other.business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        assert claim.endpoint_id == other.pk

    def test_an_unreadable_secret_holds_back_its_endpoint_alone(
        self, business, endpoint, settings, caplog
    ):
        make_event(business, now=NOW)
        settings.SECRET_KEY = "another" * 10
        other = make_endpoint(make_business())
        make_event(other.business, now=NOW)
        (claim,) = claim_due(limit=10, now=NOW)
        assert claim.endpoint_id == other.pk
        assert f"Webhooks to endpoint {endpoint.pk} wait" in caplog.text

    def test_gives_failing_endpoints_no_more_than_their_share(self, business, endpoint):
        failing = make_endpoint(make_business(), failing_since=NOW)
        for owner in (business, failing.business):
            for _ in range(4):
                make_event(owner, now=NOW)
        claims = claim_due(limit=10, for_troubled=1, now=NOW)
        assert Counter(claim.to_troubled for claim in claims) == {False: 4, True: 1}
        assert claim_due(limit=10, for_troubled=0, now=NOW) == []


class TestSettle:
    def test_a_success_ends_it(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        assert settle([(claim, OK)], now=NOW) is None
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.delivered_at, delivery.lease_token) == (
            "succeeded",
            NOW,
            None,
        )

    def test_a_failure_plans_the_next_attempt(self, business, endpoint, settings):
        settings.WEBHOOK_RETRY_SCHEDULE = [30]
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        planned = settle([(claim, FAILED)], now=NOW)
        assert later(seconds=24) <= planned <= later(seconds=36)
        assert Delivery.objects.get().next_attempt_at == planned

    @pytest.mark.parametrize("status", (429, 503))
    def test_retry_after_of_429_and_503_is_respected(self, business, endpoint, status):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        asked = Answer(Outcome.HTTP_ERROR, status, retry_after="600")
        assert settle([(claim, asked)], now=NOW) == later(seconds=600)

    def test_retry_after_of_others_is_not(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        asked = Answer(Outcome.HTTP_ERROR, 500, retry_after="600")
        assert settle([(claim, asked)], now=NOW) < later(seconds=40)

    def test_a_blocked_destination_is_not_tried_again(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        assert settle([(claim, Answer(Outcome.BLOCKED_DESTINATION))], now=NOW) is None
        assert Delivery.objects.get().status == "exhausted"

    def test_comes_too_late_after_its_lease(self, business, endpoint):
        make_event(business, now=NOW)
        (lost,) = claim_due(limit=1, now=NOW)
        release_lost(now=later(minutes=2))
        (mine,) = claim_due(limit=1, now=later(minutes=2))
        settle([(lost, OK)], now=later(minutes=2))
        assert Delivery.objects.get().status == "in_flight"
        settle([(mine, OK)], now=later(minutes=2))
        outcomes = Attempt.objects.order_by("number").values_list("outcome", flat=True)
        assert list(outcomes) == ["worker_lost", "succeeded"]

    def test_a_manual_attempt_changes_no_plan(self, business, endpoint):
        from webhooks.operations import redeliver

        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        planned = settle([(claim, FAILED)], now=NOW)
        redeliver(delivery=Delivery.objects.get(), now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        settle([(claim, FAILED)], now=NOW)
        delivery = Delivery.objects.get()
        assert (delivery.next_attempt_at, delivery.failure_count) == (planned, 1)
        assert delivery.status == "pending"
        (claim,) = claim_due(limit=1, now=planned)
        assert claim.trigger == "auto"

    def test_a_manual_failure_of_what_had_arrived_leaves_it_so(self, business, endpoint):
        from webhooks.operations import redeliver

        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        settle([(claim, OK)], now=NOW)
        redeliver(delivery=Delivery.objects.get(), now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        settle([(claim, FAILED)], now=NOW)
        assert Delivery.objects.get().status == "succeeded"


class TestReleaseLost:
    def test_makes_it_due_again_and_costs_no_retry(self, business, endpoint):
        make_event(business, now=NOW)
        claim_due(limit=1, now=NOW)
        assert release_lost(now=NOW) == 0
        assert release_lost(now=later(minutes=2)) == 1
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.failure_count) == ("pending", 0)
        assert Attempt.objects.get().outcome == "worker_lost"

    def test_gives_up_what_loses_worker_after_worker(self, business, endpoint):
        make_event(business, now=NOW)
        for hour in range(LOSSES_AT_MOST):
            assert len(claim_due(limit=1, now=later(hours=hour))) == 1
            release_lost(now=later(hours=hour, minutes=30))
        assert Delivery.objects.get().status == "exhausted"


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_each_event_goes_out_exactly_once(self, receiver):
        """Dispatchers and sweeps at once, as on several machines."""
        businesses = [make_business() for _ in range(4)]
        for business in businesses:
            make_endpoint(business, url=receiver.url, max_in_flight=3)
            for _ in range(25):
                make_event(business)

        def work() -> None:
            try:
                release_lost(now=timezone.now())
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

    def test_waits_for_the_locks_of_another_that_claims(self, receiver, business):
        """They last for milliseconds: whoever left would miss all that is due after them."""
        endpoint = make_endpoint(business, url=receiver.url)
        make_event(business)
        locked = threading.Event()

        def hold() -> None:
            try:
                with write_transaction():
                    Endpoint.objects.select_for_update().get(pk=endpoint.pk)
                    locked.set()
                    time.sleep(0.04)
            finally:
                connection.close()

        other = threading.Thread(target=hold)
        other.start()
        assert locked.wait(10)
        Dispatcher().run()
        other.join(10)
        assert len(receiver.requests) == 1
