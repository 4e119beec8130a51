"""The limit of an address that sends wrong keys, or none."""

from __future__ import annotations

import pytest
from django.test import Client

from kaivox.businesses import keys
from tests.factories import make_business, make_key

URL = "/api/v1/appointments"


@pytest.fixture
def stranger(db):
    return Client()


def guess(client, times=1, **headers):
    """Calls with keys that are well-formed and unknown."""
    return [
        client.get(URL, headers={"X-API-Key": keys.make_key(livemode=True)}, **headers)
        for _ in range(times)
    ]


class TestUnknownCallers:
    def test_sixty_bad_keys_a_minute_then_429(self, stranger):
        answers = guess(stranger, 62)

        assert [answer.status_code for answer in answers] == [401] * 60 + [429] * 2
        assert answers[-1].json()["code"] == "rate_limit_exceeded"
        assert 30 <= int(answers[-1]["Retry-After"]) <= 60

    def test_missing_and_malformed_keys_count_too(self, stranger):
        for _ in range(30):
            stranger.get(URL)
            stranger.get(URL, headers={"X-API-Key": "nonsense"})

        assert stranger.get(URL).status_code == 429
        assert guess(stranger)[0].status_code == 429

    def test_past_the_limit_a_guess_costs_no_query(self, stranger, django_assert_num_queries):
        guess(stranger, 60)

        with django_assert_num_queries(0):
            assert {answer.status_code for answer in guess(stranger, 5)} == {429}

    @pytest.mark.parametrize("is_new", (True, False))
    def test_a_right_key_from_the_same_address_is_served(self, stranger, is_new):
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

    def test_ipv6_counts_by_its_64(self, stranger):
        guess(stranger, 60, REMOTE_ADDR="2001:db8:1:2::1")

        assert guess(stranger, REMOTE_ADDR="2001:db8:1:2:ffff::9")[0].status_code == 429
        assert guess(stranger, REMOTE_ADDR="2001:db8:1:3::1")[0].status_code == 401

    def test_does_not_believe_a_header_of_the_callers_own(self, stranger):
        for number in range(60):
            guess(stranger, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")

        assert guess(stranger, HTTP_X_FORWARDED_FOR="198.51.100.99")[0].status_code == 429

    def test_believes_as_many_proxies_as_are_named(self, stranger, settings):
        settings.TRUSTED_PROXIES = 1
        guess(stranger, 60, HTTP_X_FORWARDED_FOR="1.2.3.4, 203.0.113.9")

        assert guess(stranger, HTTP_X_FORWARDED_FOR="5.6.7.8, 203.0.113.9")[0].status_code == 429
        assert guess(stranger, HTTP_X_FORWARDED_FOR="203.0.113.10")[0].status_code == 401
