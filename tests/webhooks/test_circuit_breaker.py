"""Circuit breaker, automatic disabling, and the e-mail about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from tests.factories import make_endpoint, make_event
from webhooks.circuit_breaker import cancel_stranded, must_open, pause, record_failures
from webhooks.delivery_queue import claim_due
from webhooks.delivery_results import record_results
from webhooks.models import Attempt, AttemptOutcome, Delivery, Endpoint
from webhooks.notifications import send_due_notifications
from webhooks.sender import DeliveryResult

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OK = DeliveryResult(AttemptOutcome.SUCCEEDED, 200)
FAILED = DeliveryResult(AttemptOutcome.HTTP_ERROR, 500)
GONE = DeliveryResult(AttemptOutcome.HTTP_ERROR, 410)


@pytest.fixture
def endpoint(business):
    return make_endpoint(business, max_in_flight=16)


def attempt_all(business, results, *, at=NOW):
    """Makes an event for each of `results`, and records it as the result of its request."""
    for result in results:
        make_event(business, now=at)
        claims = claim_due(limit=1, now=at)
        record_results([(claim, result) for claim in claims], now=at)


class TestBreakerRules:
    @pytest.mark.parametrize(
        ("attempts", "failures", "opens"),
        ((19, 19, False), (20, 18, True), (20, 17, False), (100, 90, True), (100, 89, False)),
    )
    def test_opens_at_nine_tenths_of_twenty(self, attempts, failures, opens):
        assert must_open(attempts, failures) is opens

    @pytest.mark.parametrize(
        ("trips", "seconds"), ((1, 30), (2, 60), (5, 480), (6, 600), (99, 600))
    )
    def test_doubles_up_to_ten_minutes(self, trips, seconds):
        assert pause(trips).total_seconds() == seconds


class TestBreaker:
    def test_opens_when_almost_all_fail_and_costs_no_attempt(self, business, endpoint):
        attempt_all(business, [OK, OK, *[FAILED] * 18])
        endpoint.refresh_from_db()
        assert endpoint.breaker_until == NOW + timedelta(seconds=30)
        make_event(business, now=NOW)
        assert claim_due(limit=10, now=NOW) == []
        assert Delivery.objects.order_by("-pk")[0].attempt_count == 0

    def test_stays_closed_below_twenty_attempts(self, business, endpoint):
        attempt_all(business, [FAILED] * 19)
        endpoint.refresh_from_db()
        assert endpoint.breaker_until is None

    def test_ignores_attempts_older_than_five_minutes(self, business, endpoint):
        attempt_all(business, [FAILED] * 19, at=NOW - timedelta(minutes=6))
        Delivery.objects.update(status="exhausted")
        attempt_all(business, [FAILED])
        endpoint.refresh_from_db()
        assert endpoint.breaker_until is None

    def test_a_probe_that_fails_doubles_the_pause(self, business, endpoint):
        attempt_all(business, [FAILED] * 20)
        probe_at = NOW + timedelta(seconds=31)
        (probe,) = claim_due(limit=10, now=probe_at)
        record_results([(probe, FAILED)], now=probe_at)
        endpoint.refresh_from_db()
        assert endpoint.breaker_until == probe_at + timedelta(seconds=60)

    def test_a_request_in_flight_when_it_opened_does_not(self, business, endpoint):
        Endpoint.objects.update(breaker_until=NOW + timedelta(seconds=30), breaker_trips=1)
        endpoint.refresh_from_db()
        record_failures(endpoint, exhausted=0, gone=False, now=NOW)
        assert endpoint.breaker_trips == 1

    def test_a_success_closes_it(self, business, endpoint):
        attempt_all(business, [FAILED] * 20)
        probe_at = NOW + timedelta(seconds=31)
        (probe,) = claim_due(limit=10, now=probe_at)
        record_results([(probe, OK)], now=probe_at)
        endpoint.refresh_from_db()
        assert (endpoint.breaker_until, endpoint.breaker_trips, endpoint.failing_since) == (
            None,
            0,
            None,
        )


class TestDisabling:
    def test_happens_at_once_for_410(self, business, endpoint):
        make_event(business, now=NOW + timedelta(hours=1))
        attempt_all(business, [GONE])
        endpoint.refresh_from_db()
        assert (endpoint.is_active, endpoint.disabled_reason) == (False, "gone")
        statuses = Delivery.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == ["cancelled", "exhausted"]
        assert Attempt.objects.get().http_status == 410

    @pytest.mark.parametrize(
        ("exhausted", "hours", "is_disabled"), ((20, 72, True), (19, 72, False), (20, 71, False))
    )
    def test_happens_after_twenty_exhausted_over_three_days(
        self, business, endpoint, exhausted, hours, is_disabled
    ):
        endpoint.exhausted_in_a_row = exhausted - 1
        endpoint.exhausted_since = NOW - timedelta(hours=hours)
        endpoint.save()
        record_failures(endpoint, exhausted=1, gone=False, now=NOW)
        endpoint.refresh_from_db()
        assert endpoint.is_active is not is_disabled
        assert endpoint.disabled_reason == ("failing" if is_disabled else "")

    def test_a_success_resets_the_count(self, business, endpoint):
        Endpoint.objects.update(exhausted_in_a_row=19, exhausted_since=NOW - timedelta(hours=99))
        attempt_all(business, [OK])
        endpoint.refresh_from_db()
        assert (endpoint.exhausted_in_a_row, endpoint.exhausted_since) == (0, None)

    def test_requests_in_flight_are_not_retried(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        attempt_all(business, [GONE])
        record_results([(claim, FAILED)], now=NOW)
        assert Delivery.objects.order_by("pk")[0].status == "cancelled"


class TestStranded:
    def test_deliveries_recorded_while_disabling_are_cancelled(self, business, endpoint):
        make_event(business, now=NOW)
        Endpoint.objects.update(is_active=False, disabled_reason="paused")
        assert cancel_stranded(now=NOW) == 1
        assert Delivery.objects.get().status == "cancelled"


class TestNotifications:
    @pytest.fixture(autouse=True)
    def contact(self, business):
        business.contact_email = "owner@example.com"
        business.save()

    def test_are_sent_once_with_the_reason(self, business, endpoint):
        attempt_all(business, [GONE])
        assert (send_due_notifications(now=NOW), send_due_notifications(now=NOW)) == (1, 0)
        (email,) = mail.outbox
        assert email.to == ["owner@example.com"]
        assert endpoint.url in email.body
        assert "410" in email.body

    def test_are_not_sent_for_a_pause(self, business, endpoint):
        Endpoint.objects.update(is_active=False, disabled_reason="paused", disabled_at=NOW)
        assert send_due_notifications(now=NOW) == 0

    def test_are_delayed_by_an_outage_of_the_mail_server(self, business, endpoint, settings):
        attempt_all(business, [GONE])
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        assert send_due_notifications(now=NOW) == 0
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert send_due_notifications(now=NOW) == 1
