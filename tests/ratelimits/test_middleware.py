"""Per-address limit for failed authentication."""

from __future__ import annotations

from collections import deque

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.businesses.auth import key_format, known_key_digests
from kaivox.businesses.auth.known_key_digests import MAX_RELOADS
from kaivox.businesses.models import ApiKey
from tests.factories import make_business, make_key

URL = "/api/v1/appointments"


@pytest.fixture
def stranger(db, monkeypatch):
    monkeypatch.setattr(known_key_digests, "_reloads", deque(maxlen=MAX_RELOADS))
    return Client()


def guess(client, times=1, **headers):
    """Requests with well-formed, unknown keys."""
    return [
        client.get(URL, headers={"X-API-Key": key_format.make_key(livemode=True)}, **headers)
        for _ in range(times)
    ]


class TestFailedAuthLimit:
    def test_sixty_bad_keys_a_minute_then_429(self, stranger):
        responses = guess(stranger, 62)

        assert [response.status_code for response in responses] == [401] * 60 + [429] * 2
        assert responses[-1].json()["code"] == "rate_limit_exceeded"
        assert 30 <= int(responses[-1]["Retry-After"]) <= 60

    def test_missing_and_malformed_keys_count_too(self, stranger):
        for _ in range(30):
            stranger.get(URL)
            stranger.get(URL, headers={"X-API-Key": "nonsense"})

        assert stranger.get(URL).status_code == 429
        assert guess(stranger)[0].status_code == 429

    def test_past_the_limit_a_guess_costs_no_query(
        self, stranger, monkeypatch, django_assert_max_num_queries
    ):
        guess(stranger, 60)
        monkeypatch.setattr(
            "kaivox.businesses.auth.known_key_digests.time.monotonic", lambda: 1000.0
        )

        with django_assert_max_num_queries(MAX_RELOADS):
            assert {response.status_code for response in guess(stranger, 50)} == {429}

    def test_past_the_limit_a_revoked_key_is_a_guess(self, stranger):
        business = make_business()
        secret = make_key(business)
        assert stranger.get(URL, headers={"X-API-Key": secret}).status_code == 200
        guess(stranger, 61)
        ApiKey.objects.update(revoked_at=timezone.now())
        statuses = [stranger.get(URL, headers={"X-API-Key": secret}).status_code for _ in range(3)]

        assert statuses == [429] * 3

    @pytest.mark.parametrize("is_new", (True, False))
    def test_a_valid_key_from_the_same_address_is_served(self, stranger, is_new):
        business = make_business()
        secret = make_key(business)
        if not is_new:
            assert stranger.get(URL, headers={"X-API-Key": secret}).status_code == 200
        guess(stranger, 65)
        secret = make_key(business) if is_new else secret

        assert stranger.get(URL, headers={"X-API-Key": secret}).status_code == 200

    def test_another_address_is_served(self, stranger):
        guess(stranger, 61, REMOTE_ADDR="203.0.113.9")

        assert guess(stranger, REMOTE_ADDR="203.0.113.10")[0].status_code == 401

    def test_ipv6_counts_per_64(self, stranger):
        guess(stranger, 60, REMOTE_ADDR="2001:db8:1:2::1")

        assert guess(stranger, REMOTE_ADDR="2001:db8:1:2:ffff::9")[0].status_code == 429
        assert guess(stranger, REMOTE_ADDR="2001:db8:1:3::1")[0].status_code == 401

    def test_does_not_trust_forwarded_for_of_the_caller(self, stranger):
        for number in range(60):
            guess(stranger, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")

        assert guess(stranger, HTTP_X_FORWARDED_FOR="198.51.100.99")[0].status_code == 429

    def test_trusts_as_many_proxies_as_configured(self, stranger, settings):
        settings.TRUSTED_PROXIES = 1
        guess(stranger, 60, HTTP_X_FORWARDED_FOR="1.2.3.4, 203.0.113.9")

        assert guess(stranger, HTTP_X_FORWARDED_FOR="5.6.7.8, 203.0.113.9")[0].status_code == 429
        assert guess(stranger, HTTP_X_FORWARDED_FOR="203.0.113.10")[0].status_code == 401
