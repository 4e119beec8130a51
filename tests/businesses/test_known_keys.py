"""Could it be a key of ours? Asked of memory."""

from __future__ import annotations

import pytest
from django.utils import timezone

from kaivox.businesses import keys, known_keys
from kaivox.businesses.models import ApiKey
from tests.factories import make_key


class TestMayBeKnown:
    def test_knows_live_keys_alone(self, business):
        live, revoked = make_key(business), make_key(business, revoked_at=timezone.now())

        assert known_keys.may_be_known(live)
        assert not known_keys.may_be_known(revoked)
        assert not known_keys.may_be_known(keys.make_key(livemode=True))

    def test_asks_the_database_once_a_change(self, business, django_assert_num_queries):
        secret = make_key(business)
        with django_assert_num_queries(1):
            for _ in range(3):
                assert known_keys.may_be_known(secret)
        ApiKey.objects.update(revoked_at=timezone.now())
        with django_assert_num_queries(1):
            for _ in range(3):
                assert not known_keys.may_be_known(secret)

    def test_a_long_list_rests_and_refuses_nobody_meanwhile(self, business, monkeypatch):
        monkeypatch.setattr(known_keys, "_READ_AT_ONCE", 1)
        make_key(business)
        known_keys.refresh()
        fresh = make_key(business)

        assert known_keys.may_be_known(fresh)
        assert not known_keys.refresh()

    @pytest.fixture(autouse=True)
    def afresh(self, monkeypatch):
        monkeypatch.setattr(known_keys, "_reads_again_at", 0.0)
