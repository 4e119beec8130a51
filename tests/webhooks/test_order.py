"""Endpoints in order: the events of one object one after the other, other objects unaffected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from tests.factories import make_endpoint, make_event
from webhooks import missed_events, operations
from webhooks.backlog import oldest_due_seconds
from webhooks.delivery_queue import claim_due
from webhooks.delivery_results import record_results
from webhooks.models import AttemptOutcome, Delivery
from webhooks.sender import DeliveryResult

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OK = DeliveryResult(AttemptOutcome.SUCCEEDED, 200)
FAILED = DeliveryResult(AttemptOutcome.HTTP_ERROR, 500)


@pytest.fixture(autouse=True)
def exact_retries(settings, monkeypatch):
    settings.WEBHOOK_RETRY_SCHEDULE = [100.0]
    monkeypatch.setattr("webhooks.retries.JITTER", 0)


@pytest.fixture
def ordered(business):
    return make_endpoint(business, max_in_flight=16, in_order=True)


def record(business, *names):
    """Events such as `appointment.booked 1`."""
    for name in names:
        kind, number = name.split()
        make_event(business, type=kind, data={"id": int(number)}, now=NOW)


def later(seconds):
    return NOW + timedelta(seconds=seconds)


def claim(at=NOW):
    return claim_due(limit=100, now=at)


def names(claims):
    rows = Delivery.objects.filter(pk__in=[one.delivery_id for one in claims]).order_by("event")
    return [f"{row.event.type} {row.event.object_id}" for row in rows.select_related("event")]


def send(result, at=NOW):
    """Claims what is due, records `result` for it and returns the names of the events."""
    claims = claim(at)
    record_results([(one, result) for one in claims], now=at)
    return names(claims)


class TestOrder:
    def test_one_event_of_an_object_is_in_flight(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.cancelled 1", "call.missed 1")
        assert names(claim()) == ["appointment.booked 1", "call.missed 1"]
        assert claim(later(1)) == []

    def test_the_next_one_follows_a_success(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.rescheduled 1")
        record(business, "appointment.cancelled 1")
        sent = [send(OK) for _ in range(4)]
        expected = ["appointment.booked 1"], ["appointment.rescheduled 1"]
        assert sent == [*expected, ["appointment.cancelled 1"], []]

    def test_a_failed_one_delays_only_its_object(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.booked 2", "appointment.cancelled 1")
        record(business, "appointment.cancelled 2")
        first, second = claim()
        record_results([(first, FAILED), (second, OK)], now=NOW)
        assert send(OK, later(1)) == ["appointment.cancelled 2"]
        assert send(OK, later(100)) == ["appointment.booked 1"]
        assert send(OK, later(100)) == ["appointment.cancelled 1"]

    def test_the_next_one_follows_the_last_retry(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.cancelled 1")
        assert send(FAILED) == send(FAILED, later(100)) == ["appointment.booked 1"]
        assert send(OK, later(100)) == ["appointment.cancelled 1"]

    def test_manual_and_test_attempts_do_not_wait(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.cancelled 1")
        send(FAILED)
        cancelled = Delivery.objects.order_by("event").last()
        operations.redeliver(delivery=cancelled, now=NOW)
        assert send(OK, later(1)) == ["appointment.cancelled 1"]

    def test_recovered_events_are_in_the_order_of_the_events(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.cancelled 1")
        Delivery.objects.filter(event__type="appointment.booked").delete()
        operations.replay(endpoint=ordered, since=later(-1), until=later(1), now=NOW)
        assert send(OK) == ["appointment.booked 1"]

    @pytest.mark.django_db(transaction=True)
    def test_a_failed_one_is_recovered_before_those_that_followed_while_it_was_off(
        self, business, ordered, monkeypatch
    ):
        at = later(3600)
        record(business, "appointment.booked 1")
        send(DeliveryResult(AttemptOutcome.HTTP_ERROR, 410))  # switches it off
        record(business, "appointment.cancelled 1")
        ordered.refresh_from_db()
        ordered = operations.update_endpoint(endpoint=ordered, is_active=True, now=at)
        sent = []
        # A worker that is awake claims what each transaction has queued.
        monkeypatch.setattr(
            missed_events, "wake_workers_on_commit",
            lambda: transaction.on_commit(lambda: sent.extend(send(OK, at))),
        )  # fmt: skip
        operations.replay(endpoint=ordered, since=later(-1), until=at, now=at)
        assert [*sent, *send(OK, at)] == ["appointment.booked 1", "appointment.cancelled 1"]

    def test_other_endpoints_do_not_wait(self, business):
        make_endpoint(business, max_in_flight=16)
        record(business, "appointment.booked 1", "appointment.cancelled 1")
        assert len(claim()) == 2

    def test_switched_off_frees_what_waits(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.cancelled 1")
        send(FAILED)
        operations.update_endpoint(endpoint=ordered, in_order=False, now=NOW)
        assert send(OK, later(1)) == ["appointment.cancelled 1"]

    def test_what_waits_is_not_late(self, business, ordered):
        record(business, "appointment.booked 1", "appointment.cancelled 1")
        send(FAILED)
        assert oldest_due_seconds(later(90)) == 0

    def test_events_without_an_object_do_not_wait(self, business, ordered):
        for _ in range(2):
            make_event(business, type="call.missed", data={}, now=NOW)
        assert len(claim()) == 2


class TestDispatcher:
    def test_sends_a_chain_in_one_run(self, business, ordered, receiver, deliver):
        ordered.url = receiver.url
        ordered.save()
        record(business, *["appointment.rescheduled 1"] * 6)
        deliver()
        sent = [request.headers["webhook-id"] for request in receiver.requests]
        assert len(sent) == 6
        uids = Delivery.objects.order_by("event").values_list("event__uid", flat=True)
        assert sent == list(uids)
