"""A hint never makes anybody wait, and is never what a delivery depends on."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import transaction

from kaivox.celery import app
from tests.factories import make_endpoint, make_event
from webhooks import hints, tasks


class Broker:
    """Takes hints as slowly, or as badly, as it is told."""

    def __init__(self) -> None:
        self.hints = 0
        self.arrived = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    def publish(self) -> None:
        self.hints += 1
        self.arrived.set()
        self.may_go_on.wait(10)
        if self.error is not None:
            raise self.error


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setattr(hints, "REST_SECONDS", 0.0)
    broker = Broker()
    monkeypatch.setattr(hints, "publish_hint", broker.publish)
    yield broker
    broker.may_go_on.set()


class TestPublishHint:
    def test_lands_in_the_queue_of_webhooks(self):
        hints.publish_hint()
        with app.connection_for_read() as broker:
            message = broker.default_channel.basic_get("webhooks", no_ack=True)
        assert message.headers["task"] == tasks.deliver_due.name


class TestNudge:
    def test_reaches_the_broker(self, broker):
        hints.nudge()
        assert broker.arrived.wait(5)

    def test_does_not_wait_for_a_broker_that_hangs(self, broker):
        broker.may_go_on.clear()
        started = time.monotonic()
        for _ in range(100):
            hints.nudge()
        assert time.monotonic() - started < 0.5
        assert broker.arrived.wait(5)

    def test_makes_few_messages_of_many(self, broker):
        broker.may_go_on.clear()
        hints.nudge()
        assert broker.arrived.wait(5)
        for _ in range(100):
            hints.nudge()
        broker.arrived.clear()
        broker.may_go_on.set()
        assert broker.arrived.wait(5)
        assert broker.hints == 2

    def test_outlives_a_broker_that_is_down(self, broker):
        broker.error = ConnectionRefusedError("no broker")
        hints.nudge()
        assert broker.arrived.wait(5)
        broker.arrived.clear()
        broker.error = None
        hints.nudge()
        assert broker.arrived.wait(5)


@pytest.mark.django_db
class TestNudgeOnCommit:
    def test_is_one_hook_for_many_events(self, business, django_capture_on_commit_callbacks):
        make_endpoint(business)
        with django_capture_on_commit_callbacks() as hooks, transaction.atomic():
            for _ in range(5):
                make_event(business)
        assert hooks == [hints.nudge]

    def test_is_none_where_nobody_subscribes(self, business, django_capture_on_commit_callbacks):
        make_endpoint(business, event_types=["call.missed"])
        with django_capture_on_commit_callbacks() as hooks:
            make_event(business)
        assert hooks == []
