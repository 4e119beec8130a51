"""Format and checksum of API keys."""

from __future__ import annotations

import re

import pytest

from kaivox.businesses.auth import key_format

pytestmark = pytest.mark.once


class TestMakeKey:
    @pytest.mark.parametrize(("livemode", "prefix"), ((True, "kv_live_"), (False, "kv_test_")))
    def test_has_the_form(self, livemode, prefix):
        key = key_format.make_key(livemode=livemode)

        assert re.fullmatch(prefix + "[0-9A-Za-z]{38}", key)
        assert key_format.is_well_formed(key)

    def test_no_two_are_alike(self):
        assert len({key_format.make_key(livemode=True) for _ in range(1000)}) == 1000


class TestIsWellFormed:
    def test_computes_a_known_checksum(self):
        # CRC32 of "kv_live_" + 32 zeros is 0x83050fa8; in base62, most significant digit first.
        assert key_format.is_well_formed("kv_live_" + "0" * 32 + "2OlCRc") is True

    def test_rejects_any_changed_character(self):
        key = key_format.make_key(livemode=True)
        for place in range(len("kv_live_"), len(key)):
            other = "a" if key[place] != "a" else "b"
            assert not key_format.is_well_formed(key[:place] + other + key[place + 1 :])

    @pytest.mark.parametrize(
        "text", ("", "kv_live_", "kv_live_" + "a" * 38, "Bearer x", "kv_live_é" + "a" * 37, "\x00")
    )
    def test_rejects_malformed_keys(self, text):
        assert not key_format.is_well_formed(text)

    def test_rejects_a_key_with_a_suffix(self):
        assert not key_format.is_well_formed(key_format.make_key(livemode=True) + "\n")
