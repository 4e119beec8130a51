from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db import OperationalError
from django.utils import timezone

from tests.factories import make_endpoint, make_event
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
    def test_retries_within_a_moment_go_out_without_a_sweep(self, business, receiver, settings):
        settings.WEBHOOK_RETRY_SCHEDULE = [0.1, 0.1, 0.1]
        receiver.answer(500, 500, 200)
        make_endpoint(business, url=receiver.url)
        make_event(business)
        Dispatcher().run()
        assert len(receiver.requests) == 3
        gaps = [b.at - a.at for a, b in zip(receiver.requests, receiver.requests[1:], strict=False)]
        assert all(gap >= 0.08 for gap in gaps)

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
