"""Wake-ups never block a request, and no delivery depends on them."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import transaction

from kaivox.celery import app
from tests.factories import make_endpoint, make_event
from webhooks import tasks, wakeups


class Broker:
    """A broker that accepts wake-ups, with a configurable delay or failure."""

    def __init__(self) -> None:
        self.hints = 0
        self.arrived = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    def publish(self) -> None:
        self.hints += 1
        self.arrived.set()
        self.may_go_on.wait(60)
        if self.error is not None:
            raise self.error


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setattr(wakeups, "COOLDOWN_SECONDS", 0.0)
    broker = Broker()
    monkeypatch.setattr(wakeups, "publish_wakeup", broker.publish)
    yield broker
    broker.may_go_on.set()


class TestPublishWakeup:
    def test_is_routed_to_the_webhooks_queue(self):
        wakeups.publish_wakeup()
        with app.connection_for_read() as broker:
            message = broker.default_channel.basic_get("webhooks", no_ack=True)
        assert message.headers["task"] == tasks.deliver_due.name


class TestWakeWorkers:
    def test_reaches_the_broker(self, broker):
        wakeups.wake_workers()
        assert broker.arrived.wait(60)

    def test_does_not_wait_for_a_broker_that_hangs(self, broker):
        broker.may_go_on.clear()
        started = time.monotonic()
        for _ in range(100):
            wakeups.wake_workers()
        assert time.monotonic() - started < 10  # without the thread it would wait for ever
        assert broker.arrived.wait(60)

    def test_merges_many_calls_into_few_messages(self, broker):
        broker.may_go_on.clear()
        wakeups.wake_workers()
        assert broker.arrived.wait(60)
        for _ in range(100):
            wakeups.wake_workers()
        broker.arrived.clear()
        broker.may_go_on.set()
        assert broker.arrived.wait(60)
        assert broker.hints == 2

    def test_survives_a_broker_that_is_down(self, broker):
        broker.error = ConnectionRefusedError("no broker")
        wakeups.wake_workers()
        assert broker.arrived.wait(60)
        broker.arrived.clear()
        broker.error = None
        wakeups.wake_workers()
        assert broker.arrived.wait(60)


@pytest.mark.django_db
class TestWakeWorkersOnCommit:
    def test_registers_one_callback_for_many_events(
        self, business, django_capture_on_commit_callbacks
    ):
        make_endpoint(business)
        with django_capture_on_commit_callbacks() as hooks, transaction.atomic():
            for _ in range(5):
                make_event(business)
        assert hooks == [wakeups.wake_workers]

    def test_registers_none_without_subscribers(self, business, django_capture_on_commit_callbacks):
        make_endpoint(business, event_types=["call.missed"])
        with django_capture_on_commit_callbacks() as hooks:
            make_event(business)
        assert hooks == []
