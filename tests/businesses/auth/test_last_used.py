"""When a key was last used."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kaivox.businesses.auth import last_used
from kaivox.businesses.models import ApiKey
from tests.factories import make_key

URL = "/api/v1/business"


@pytest.fixture(autouse=True)
def at_once(settings):
    settings.KEY_USE_FLUSH_SECONDS = 60.0


class TestLastUse:
    def test_is_written_after_the_answer_with_the_address(self, client_of, business):
        client_of(make_key(business)).get(URL, REMOTE_ADDR="203.0.113.9")
        key = ApiKey.objects.get()

        assert key.last_used_at is not None
        assert key.last_used_address == "203.0.113.9"

    def test_is_written_in_the_first_minute_after_the_machine_has_started(
        self, client_of, business, monkeypatch
    ):
        monkeypatch.setattr(last_used, "time", SimpleNamespace(monotonic=lambda: 5.0))
        client_of(make_key(business)).get(URL)

        assert ApiKey.objects.get().last_used_at is not None

    def test_costs_the_next_request_nothing(self, client_of, business, django_assert_num_queries):
        client = client_of(make_key(business))
        client.get(URL)
        client.get(URL)

        with django_assert_num_queries(1):  # the key
            client.get(URL)

    def test_is_no_change_of_the_key(self, client_of, business):
        client = client_of(make_key(business))
        client.get(URL)
        before = ApiKey.objects.get().updated_at
        client.get(URL)

        assert ApiKey.objects.get().updated_at == before

    def test_a_rejected_request_counts_as_use(self, client_of, business):
        client_of(make_key(business, scopes=["calls:read"])).get("/api/v1/appointments")

        assert ApiKey.objects.get().last_used_at is not None

    def test_a_wrong_key_is_not(self, client_of, business):
        make_key(business)
        client_of("kv_live_wrong").get(URL)

        assert ApiKey.objects.get().last_used_at is None
