"""Breaker, switching off, and the letter about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from tests.factories import make_endpoint, make_event
from webhooks import breaker
from webhooks.delivery import Answer
from webhooks.endpoint_health import call_off_stranded, note_failures
from webhooks.models import Attempt, Delivery, Endpoint, Outcome
from webhooks.notices import send_due_notices
from webhooks.outbox import claim_due, settle

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OK = Answer(Outcome.SUCCEEDED, 200)
FAILED = Answer(Outcome.HTTP_ERROR, 500)
GONE = Answer(Outcome.HTTP_ERROR, 410)


@pytest.fixture
def endpoint(business):
    return make_endpoint(business, max_in_flight=16)


def attempt_all(business, answers, *, at=NOW):
    """Makes an event for each of `answers` and lets its request end so."""
    for answer in answers:
        make_event(business, now=at)
        claims = claim_due(limit=1, now=at)
        settle([(claim, answer) for claim in claims], now=at)


class TestBreakerRules:
    @pytest.mark.parametrize(
        ("attempts", "failures", "opens"),
        ((19, 19, False), (20, 18, True), (20, 17, False), (100, 90, True), (100, 89, False)),
    )
    def test_opens_at_nine_tenths_of_twenty(self, attempts, failures, opens):
        assert breaker.opens(attempts, failures) is opens

    @pytest.mark.parametrize(
        ("trips", "seconds"), ((1, 30), (2, 60), (5, 480), (6, 600), (99, 600))
    )
    def test_doubles_up_to_ten_minutes(self, trips, seconds):
        assert breaker.pause(trips).total_seconds() == seconds


class TestBreaker:
    def test_opens_when_almost_all_fail_and_costs_no_attempt(self, business, endpoint):
        attempt_all(business, [OK, OK, *[FAILED] * 18])
        endpoint.refresh_from_db()
        assert endpoint.breaker_until == NOW + timedelta(seconds=30)
        make_event(business, now=NOW)
        assert claim_due(limit=10, now=NOW) == []
        assert Delivery.objects.order_by("-pk")[0].attempt_count == 0

    def test_stays_shut_for_a_lone_delivery(self, business, endpoint):
        attempt_all(business, [FAILED] * 19)
        endpoint.refresh_from_db()
        assert endpoint.breaker_until is None

    def test_does_not_count_what_is_older_than_five_minutes(self, business, endpoint):
        attempt_all(business, [FAILED] * 19, at=NOW - timedelta(minutes=6))
        Delivery.objects.update(status="exhausted")
        attempt_all(business, [FAILED])
        endpoint.refresh_from_db()
        assert endpoint.breaker_until is None

    def test_a_probe_that_fails_doubles_the_pause(self, business, endpoint):
        attempt_all(business, [FAILED] * 20)
        probe_at = NOW + timedelta(seconds=31)
        (probe,) = claim_due(limit=10, now=probe_at)
        settle([(probe, FAILED)], now=probe_at)
        endpoint.refresh_from_db()
        assert endpoint.breaker_until == probe_at + timedelta(seconds=60)

    def test_one_that_was_under_way_when_it_opened_does_not(self, business, endpoint):
        Endpoint.objects.update(breaker_until=NOW + timedelta(seconds=30), breaker_trips=1)
        endpoint.refresh_from_db()
        note_failures(endpoint, exhausted=0, gone=False, now=NOW)
        assert endpoint.breaker_trips == 1

    def test_a_success_closes_it(self, business, endpoint):
        attempt_all(business, [FAILED] * 20)
        probe_at = NOW + timedelta(seconds=31)
        (probe,) = claim_due(limit=10, now=probe_at)
        settle([(probe, OK)], now=probe_at)
        endpoint.refresh_from_db()
        assert (endpoint.breaker_until, endpoint.breaker_trips, endpoint.failing_since) == (
            None,
            0,
            None,
        )


class TestSwitchingOff:
    def test_410_does_it_at_once(self, business, endpoint):
        make_event(business, now=NOW + timedelta(hours=1))
        attempt_all(business, [GONE])
        endpoint.refresh_from_db()
        assert (endpoint.is_active, endpoint.disabled_reason) == (False, "gone")
        statuses = Delivery.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == ["cancelled", "exhausted"]
        assert Attempt.objects.get().http_status == 410

    @pytest.mark.parametrize(
        ("exhausted", "hours", "goes_off"), ((20, 72, True), (19, 72, False), (20, 71, False))
    )
    def test_twenty_given_up_over_three_days_do_it(
        self, business, endpoint, exhausted, hours, goes_off
    ):
        endpoint.exhausted_in_a_row = exhausted - 1
        endpoint.exhausted_since = NOW - timedelta(hours=hours)
        endpoint.save()
        note_failures(endpoint, exhausted=1, gone=False, now=NOW)
        endpoint.refresh_from_db()
        assert endpoint.is_active is not goes_off
        assert endpoint.disabled_reason == ("failing" if goes_off else "")

    def test_a_success_in_between_begins_anew(self, business, endpoint):
        Endpoint.objects.update(exhausted_in_a_row=19, exhausted_since=NOW - timedelta(hours=99))
        attempt_all(business, [OK])
        endpoint.refresh_from_db()
        assert (endpoint.exhausted_in_a_row, endpoint.exhausted_since) == (0, None)

    def test_what_is_under_way_then_is_not_planned_again(self, business, endpoint):
        make_event(business, now=NOW)
        (claim,) = claim_due(limit=1, now=NOW)
        attempt_all(business, [GONE])
        settle([(claim, FAILED)], now=NOW)
        assert Delivery.objects.order_by("pk")[0].status == "cancelled"


class TestStranded:
    def test_what_was_recorded_while_the_endpoint_went_off_is_called_off(self, business, endpoint):
        make_event(business, now=NOW)
        Endpoint.objects.update(is_active=False, disabled_reason="paused")
        assert call_off_stranded(now=NOW) == 1
        assert Delivery.objects.get().status == "cancelled"


class TestNotices:
    @pytest.fixture(autouse=True)
    def contact(self, business):
        business.contact_email = "owner@example.com"
        business.save()

    def test_tell_the_contact_once_why(self, business, endpoint):
        attempt_all(business, [GONE])
        assert (send_due_notices(now=NOW), send_due_notices(now=NOW)) == (1, 0)
        (letter,) = mail.outbox
        assert letter.to == ["owner@example.com"]
        assert endpoint.url in letter.body
        assert "410" in letter.body

    def test_say_nothing_of_a_pause(self, business, endpoint):
        Endpoint.objects.update(is_active=False, disabled_reason="paused", disabled_at=NOW)
        assert send_due_notices(now=NOW) == 0

    def test_come_later_when_the_mail_server_is_away(self, business, endpoint, settings):
        attempt_all(business, [GONE])
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        assert send_due_notices(now=NOW) == 0
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert send_due_notices(now=NOW) == 1
