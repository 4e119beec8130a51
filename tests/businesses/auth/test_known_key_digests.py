"""Digests of valid keys in memory."""

from __future__ import annotations

from collections import deque

import pytest
from django.utils import timezone

from kaivox.businesses.auth import key_format, known_key_digests
from kaivox.businesses.auth.known_key_digests import (
    MAX_RELOADS,
    add,
    contains,
    contains_after_reload,
    discard,
)
from tests.factories import make_key


def digest(secret: str) -> str:
    return key_format.digest_of(secret)


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    monkeypatch.setattr(known_key_digests, "_reloads", deque(maxlen=MAX_RELOADS))
    monkeypatch.setattr(known_key_digests, "_digests", known_key_digests._digests[:0])


class TestContains:
    def test_valid_keys_alone_after_a_reload(self, business):
        valid = digest(make_key(business))
        revoked = digest(make_key(business, revoked_at=timezone.now()))

        assert not contains(valid)
        assert contains_after_reload(valid)
        assert contains(valid)
        assert not contains_after_reload(revoked)
        assert not contains_after_reload(digest(key_format.make_key(livemode=True)))

    def test_authenticated_keys_until_they_are_discarded(self, business):
        secret = digest(make_key(business))
        add(secret)
        assert contains(secret)
        discard(secret)
        assert not contains(secret)
        contains_after_reload(secret)
        discard(secret)
        assert not contains(secret)


class TestReload:
    def test_is_done_at_most_ten_times_a_second(
        self, business, monkeypatch, django_assert_num_queries
    ):
        now = [1000.0]
        monkeypatch.setattr(
            "kaivox.businesses.auth.known_key_digests.time.monotonic", lambda: now[0]
        )
        guess = digest(key_format.make_key(livemode=True))
        with django_assert_num_queries(MAX_RELOADS):
            for _ in range(100):
                assert not contains_after_reload(guess)
        new = digest(make_key(business))
        assert not contains_after_reload(new)
        now[0] += 1
        assert contains_after_reload(new)

    def test_of_a_long_list_is_done_less_often(self, business, monkeypatch):
        monkeypatch.setattr(known_key_digests, "_BATCH_SIZE", 1)
        now = [1000.0]
        monkeypatch.setattr(
            "kaivox.businesses.auth.known_key_digests.time.monotonic", lambda: now[0]
        )
        contains_after_reload(digest(make_key(business)))
        for _ in range(MAX_RELOADS):
            contains_after_reload(digest(key_format.make_key(livemode=True)))
        new = digest(make_key(business))
        now[0] += 1
        assert not contains_after_reload(new)
        now[0] += 1
        assert contains_after_reload(new)
