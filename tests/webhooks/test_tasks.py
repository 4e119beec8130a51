from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import OperationalError, connection
from django.utils import timezone

from tests.factories import make_business, make_endpoint, make_event
from tests.webhooks.receivers import Reply
from webhooks import tasks
from webhooks.dispatch import Dispatcher
from webhooks.models import Delivery
from webhooks.outbox import claim_due

pytestmark = pytest.mark.django_db


class TestSweep:
    def test_takes_up_what_a_lost_worker_left_and_sends_it(self, business, receiver):
        make_endpoint(business, url=receiver.url)
        make_event(business, now=timezone.now() - timedelta(hours=1))
        claim_due(limit=1, now=timezone.now() - timedelta(hours=1))
        tasks.sweep()
        assert Delivery.objects.get().status == "succeeded"
        assert receiver.requests[0].headers["X-KaiVox-Attempt"] == "2"

    @pytest.mark.parametrize("task", (tasks.sweep, tasks.deliver_due))
    def test_waits_for_a_database_that_is_away(self, task, monkeypatch, caplog):
        def away(self):
            raise OperationalError("connection refused\nIs the server running?")

        monkeypatch.setattr(Dispatcher, "run", away)
        task()
        assert "connection refused" in caplog.text


class TestOthers:
    def test_write_letters(self, business):
        business.contact_email = "owner@example.com"
        business.save()
        make_endpoint(business, is_active=False, disabled_reason="gone")
        tasks.send_notices()
        assert len(mail.outbox) == 1

    def test_prune_the_log(self, business):
        make_endpoint(business)
        old = make_event(business, now=timezone.now() - timedelta(days=31))
        old.deliveries.update(status="exhausted")
        tasks.prune_log()
        assert not Delivery.objects.exists()


class TestDispatcher:
    def test_lets_endpoints_that_fail_have_half_of_the_senders(self, business, receiver, settings):
        settings.WEBHOOK_SENDERS = 4
        for _ in range(3):
            owner = make_business()
            with_trouble = make_endpoint(owner, url=receiver.url, failing_since=timezone.now())
            for _ in range(3):
                make_event(with_trouble.business)
        make_endpoint(business, url=receiver.url)
        make_event(business)
        Dispatcher().run()
        assert len(receiver.requests) == 10

    def test_retries_within_a_moment_go_out_without_a_sweep(self, business, receiver, settings):
        settings.WEBHOOK_RETRY_SCHEDULE = [0.1, 0.1, 0.1]
        receiver.answer(500, 500, 200)
        make_endpoint(business, url=receiver.url)
        make_event(business)
        Dispatcher().run()
        assert len(receiver.requests) == 3
        gaps = [b.at - a.at for a, b in zip(receiver.requests, receiver.requests[1:], strict=False)]
        assert all(gap >= 0.08 for gap in gaps)

    @pytest.mark.django_db(transaction=True)
    def test_a_second_call_leaves_its_work_to_the_first(self, business, receiver):
        receiver.answer(Reply(200, delay=0.5))
        make_endpoint(business, url=receiver.url)
        make_event(business)
        dispatcher = Dispatcher()

        def run() -> None:
            try:
                dispatcher.run()
            finally:
                connection.close()

        first = threading.Thread(target=run)
        first.start()
        receiver.wait_for(1)
        make_event(business)
        dispatcher.run()
        assert Delivery.objects.filter(status="succeeded").count() == 0
        receiver.wait_for(2)
        first.join(10)
        assert Delivery.objects.filter(status="succeeded").count() == 2

    def test_claims_nothing_once_it_is_told_to_stop(self, business, receiver):
        make_endpoint(business, url=receiver.url)
        make_event(business)
        dispatcher = Dispatcher()
        dispatcher.stop()
        dispatcher.run()
        assert receiver.requests == []

    def test_notes_what_was_sent_when_the_database_comes_back(
        self, business, receiver, monkeypatch
    ):
        from webhooks import dispatch

        make_endpoint(business, url=receiver.url)
        make_event(business)
        monkeypatch.setattr(dispatch, "_DATABASE_REST_SECONDS", 0.01)
        monkeypatch.setattr(dispatch.connection, "close", lambda: None)
        settle, failures = dispatch.settle, iter([OperationalError("away"), None])

        def settle_later(*args, **kwargs):
            if failure := next(failures):
                raise failure
            return settle(*args, **kwargs)

        monkeypatch.setattr(dispatch, "settle", settle_later)
        Dispatcher().run()
        assert Delivery.objects.get().status == "succeeded"
        assert len(receiver.requests) == 1
