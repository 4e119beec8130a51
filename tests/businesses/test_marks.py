"""A change is seen by processes that did not make it."""

from __future__ import annotations

from functools import partial

import pytest
from django.conf import settings

from kaivox import redis_store
from kaivox.businesses import key_cache, marks
from kaivox.businesses.marks import EVERYBODY, leave_mark, read_mark
from kaivox.redis_store import Breaker
from tests.factories import make_key

# Of a business that no test makes: marks in Redis outlive a test.
BUSINESS = 10**12


def seen_elsewhere(business_id=BUSINESS):
    """The mark as a process reads it that has changed nothing itself."""
    return marks._marks().read(business_id)


@pytest.mark.django_db
class TestLeaveMark:
    @pytest.fixture
    def commit(self, django_capture_on_commit_callbacks):
        return partial(django_capture_on_commit_callbacks, execute=True)

    def test_is_seen_by_other_processes(self, commit):
        seen = {seen_elsewhere()}
        for _ in range(20):
            with commit():
                leave_mark(BUSINESS)
            seen.add(seen_elsewhere())

        assert len(seen) == 21

    def test_is_a_change_of_everybody_too(self, commit):
        before = seen_elsewhere(EVERYBODY)
        with commit():
            leave_mark(BUSINESS)

        assert seen_elsewhere(EVERYBODY) != before

    def test_waits_for_the_commit_but_not_in_its_own_process(self, commit):
        elsewhere, here = seen_elsewhere(), read_mark(BUSINESS)
        with commit():
            leave_mark(BUSINESS)
            assert seen_elsewhere() == elsewhere
            assert read_mark(BUSINESS) != here

        assert seen_elsewhere() != elsewhere

    def test_a_change_by_another_process_is_seen_at_the_next_request(self, business, client_of):
        secret = make_key(business)
        client = client_of(secret)
        for _ in range(3):
            assert client.get("/api/v1/business").status_code == 200
        key = key_cache.find_key(secret)
        # As another process: past our models, which would tell ours by themselves.
        type(key)._base_manager.filter(pk=key.pk).update(revoked_at=key.created_at)
        marks._marks().leave(business.pk)

        assert client.get("/api/v1/business").status_code == 401


@pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis")
class TestRedisAway:
    @pytest.fixture
    def away(self, monkeypatch, settings):
        """A Redis that refuses connections."""
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        gone = redis_store.client.__wrapped__()
        monkeypatch.setattr(redis_store, "client", lambda: gone)
        monkeypatch.setattr(redis_store, "breaker", Breaker())

    def test_keys_are_looked_up_each_time(
        self, business, client_of, away, django_assert_num_queries
    ):
        client = client_of(make_key(business))
        for _ in range(3):
            with django_assert_num_queries(1):
                assert client.get("/api/v1/business").status_code == 200

    def test_a_change_is_made_and_the_log_says_so(
        self, business, away, caplog, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            business.save()

        assert "changed while Redis is away" in caplog.text
