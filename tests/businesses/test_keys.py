"""The form of a key."""

from __future__ import annotations

import re

import pytest

from kaivox.businesses import keys


class TestMakeKey:
    @pytest.mark.parametrize(("livemode", "prefix"), ((True, "kv_live_"), (False, "kv_test_")))
    def test_has_the_form(self, livemode, prefix):
        key = keys.make_key(livemode=livemode)

        assert re.fullmatch(prefix + "[0-9A-Za-z]{38}", key)
        assert keys.is_well_formed(key)

    def test_no_two_are_alike(self):
        assert len({keys.make_key(livemode=True) for _ in range(1000)}) == 1000


class TestIsWellFormed:
    def test_knows_the_checksum_of_a_key_made_elsewhere(self):
        # CRC32 of "kv_live_" + 32 zeros is 0x83050fa8; in base62, most significant digit first.
        assert keys.is_well_formed("kv_live_" + "0" * 32 + "2OlCRc") is True

    def test_refuses_any_one_character_changed(self):
        key = keys.make_key(livemode=True)
        for place in range(len("kv_live_"), len(key)):
            other = "a" if key[place] != "a" else "b"
            assert not keys.is_well_formed(key[:place] + other + key[place + 1 :])

    @pytest.mark.parametrize(
        "text", ("", "kv_live_", "kv_live_" + "a" * 38, "Bearer x", "kv_live_é" + "a" * 37, "\x00")
    )
    def test_refuses_what_is_no_key(self, text):
        assert not keys.is_well_formed(text)

    def test_refuses_a_key_with_something_behind_it(self):
        assert not keys.is_well_formed(keys.make_key(livemode=True) + "\n")
