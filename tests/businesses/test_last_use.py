"""When a key was last used."""

from __future__ import annotations

import pytest

from kaivox.businesses.models import ApiKey
from tests.factories import make_key

URL = "/api/v1/business"


@pytest.fixture(autouse=True)
def at_once(settings):
    settings.KEY_USE_WRITTEN_EVERY_SECONDS = 60.0


class TestLastUse:
    def test_is_written_after_the_answer_with_the_address(self, client_of, business):
        client_of(make_key(business)).get(URL, REMOTE_ADDR="203.0.113.9")
        key = ApiKey.objects.get()

        assert key.last_used_at is not None
        assert key.last_used_address == "203.0.113.9"

    def test_costs_the_next_request_nothing(self, client_of, business, django_assert_num_queries):
        client = client_of(make_key(business))
        client.get(URL)
        client.get(URL)

        with django_assert_num_queries(0):
            client.get(URL)

    def test_does_not_make_the_key_be_looked_up_anew(self, client_of, business):
        client = client_of(make_key(business))
        client.get(URL)
        before = ApiKey.objects.get().updated_at
        client.get(URL)

        assert ApiKey.objects.get().updated_at == before

    def test_a_refused_call_is_a_use_too(self, client_of, business):
        client_of(make_key(business, scopes=["calls:read"])).get("/api/v1/appointments")

        assert ApiKey.objects.get().last_used_at is not None

    def test_a_wrong_key_is_not(self, client_of, business):
        make_key(business)
        client_of("kv_live_wrong").get(URL)

        assert ApiKey.objects.get().last_used_at is None
