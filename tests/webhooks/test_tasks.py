"""Celery tasks of webhooks, and the dispatcher that they run."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.core import mail
from django.db import OperationalError, connection
from django.utils import timezone

from kaivox.db.clock import database_now
from tests.factories import make_business, make_endpoint, make_event
from tests.webhooks.receivers import Reply
from webhooks import dispatcher, operations, tasks
from webhooks.delivery_queue import claim_due
from webhooks.dispatcher import Dispatcher
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db


class TestSweep:
    def test_releases_and_sends_deliveries_of_a_lost_worker(self, business, receiver):
        make_endpoint(business, url=receiver.url)
        make_event(business, now=timezone.now() - timedelta(hours=1))
        claim_due(limit=1, now=timezone.now() - timedelta(hours=1))
        tasks.sweep()
        assert Delivery.objects.get().status == "succeeded"
        assert receiver.requests[0].headers["X-KaiVox-Attempt"] == "2"

    def test_retries_stay_in_the_trace_of_their_event(self, business, receiver):
        make_endpoint(business, url=receiver.url)
        make_event(business, now=timezone.now() - timedelta(hours=1))
        claim_due(limit=1, now=timezone.now() - timedelta(hours=1))
        tasks.sweep()
        attempts = Delivery.objects.get().attempts.order_by("number")
        first, second = (attempt.request_headers["traceparent"] for attempt in attempts)
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
        assert receiver.requests[0].headers["traceparent"] == second != first
        assert first.split("-")[1] == second.split("-")[1]

    def test_at_rest_asks_for_the_clock_lost_workers_and_what_is_due(
        self, business, django_assert_max_num_queries
    ):
        make_endpoint(business)
        make_event(business).deliveries.update(next_attempt_at=timezone.now() + timedelta(hours=1))
        with django_assert_max_num_queries(5):  # two of them a savepoint
            tasks.sweep()


class TestClocks:
    """The database's clock decides, if those of web servers and workers are an hour off."""

    @pytest.mark.parametrize("hours", (-1, 1))
    def test_recorded_events_are_sent_at_once(self, business, receiver, hours):
        make_endpoint(business, url=receiver.url)
        make_event(business, now=timezone.now() + timedelta(hours=hours))
        tasks.sweep()
        assert Delivery.objects.get().status == "succeeded"

    def test_manual_attempts_are_sent_at_once(self, business, receiver):
        ahead = timezone.now() + timedelta(hours=1)
        endpoint = make_endpoint(business, url=receiver.url)
        operations.send_test_event(endpoint=endpoint, type="call.missed", now=ahead)
        tasks.sweep()
        operations.redeliver(delivery=Delivery.objects.get(), now=ahead)
        tasks.sweep()
        assert len(receiver.requests) == 2

    def test_replayed_events_are_sent_at_once(self, business, receiver):
        ahead = timezone.now() + timedelta(hours=1)
        make_event(business)
        endpoint = make_endpoint(business, url=receiver.url)
        exhausted = make_event(business)
        exhausted.deliveries.update(status="exhausted")
        since = timezone.now() - timedelta(hours=1)
        assert operations.replay(endpoint=endpoint, since=since, now=ahead) == 2
        tasks.sweep()
        assert len(receiver.requests) == 2

    @pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has no clock of its own")
    def test_a_worker_whose_clock_is_ahead_releases_no_valid_lease(self, business, monkeypatch):
        make_endpoint(business)
        make_event(business)
        claim_due(limit=1, now=database_now())
        ahead = timezone.now() + timedelta(hours=1)
        monkeypatch.setattr(timezone, "now", lambda: ahead)
        tasks.sweep()
        assert Delivery.objects.get().status == "in_flight"


class TestOtherTasks:
    def test_send_e_mails(self, business):
        business.contact_email = "owner@example.com"
        business.save()
        make_endpoint(business, is_active=False, disabled_reason="gone")
        tasks.send_notifications()
        assert len(mail.outbox) == 1

    def test_prune_the_log(self, business):
        make_endpoint(business)
        old = make_event(business, now=timezone.now() - timedelta(days=31))
        old.deliveries.update(status="exhausted")
        tasks.prune_log()
        assert not Delivery.objects.exists()


class TestDispatcher:
    def test_limits_failing_endpoints_to_half_of_the_senders(self, business, receiver, settings):
        settings.WEBHOOK_SENDERS = 4
        for _ in range(3):
            owner = make_business()
            failing = make_endpoint(owner, url=receiver.url, failing_since=timezone.now())
            for _ in range(3):
                make_event(failing.business)
        make_endpoint(business, url=receiver.url)
        make_event(business)
        Dispatcher().run()
        assert len(receiver.requests) == 10

    def test_sends_retries_due_within_seconds_without_a_sweep(self, business, receiver, settings):
        settings.WEBHOOK_RETRY_SCHEDULE = [0.1, 0.1, 0.1]
        receiver.respond_with(500, 500, 200)
        make_endpoint(business, url=receiver.url)
        make_event(business)
        Dispatcher().run()
        assert len(receiver.requests) == 3
        gaps = [b.at - a.at for a, b in zip(receiver.requests, receiver.requests[1:], strict=False)]
        assert all(gap >= 0.08 for gap in gaps)

    @pytest.mark.django_db(transaction=True)
    def test_a_second_call_hands_its_work_to_the_first(self, business, receiver):
        receiver.respond_with(Reply(200, delay=0.5))
        make_endpoint(business, url=receiver.url)
        make_event(business)
        shared = Dispatcher()

        def run() -> None:
            try:
                shared.run()
            finally:
                connection.close()

        first = threading.Thread(target=run)
        first.start()
        receiver.wait_for(1)
        make_event(business)
        shared.run()
        assert Delivery.objects.filter(status="succeeded").count() == 0
        receiver.wait_for(2)
        first.join(10)
        assert Delivery.objects.filter(status="succeeded").count() == 2

    def test_claims_nothing_once_stopped(self, business, receiver):
        make_endpoint(business, url=receiver.url)
        make_event(business)
        stopped = Dispatcher()
        stopped.stop()
        stopped.run()
        assert receiver.requests == []

    def test_records_results_when_the_database_is_back(self, business, receiver, monkeypatch):
        make_endpoint(business, url=receiver.url)
        make_event(business)
        monkeypatch.setattr(dispatcher, "DATABASE_COOLDOWN_SECONDS", 0.01)
        monkeypatch.setattr(dispatcher.connection, "close", lambda: None)
        record, failures = dispatcher.record_results, iter([OperationalError("down"), None])

        def fail_once(*args, **kwargs):
            if failure := next(failures):
                raise failure
            return record(*args, **kwargs)

        monkeypatch.setattr(dispatcher, "record_results", fail_once)
        Dispatcher().run()
        assert Delivery.objects.get().status == "succeeded"
        assert len(receiver.requests) == 1
