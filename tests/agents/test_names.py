"""Fuzzy look-up by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaivox.agents.names import find_by_name, means_anyone

pytestmark = pytest.mark.once

NAMES = (
    "Dr. Anil Sharma",
    "Dr Priya Sharma",
    "Élodie Martin",
    "José García",
    "Cleaning",
    "Deep Cleaning",
    "Root Canal",
    "Teeth Whitening",
    "आशा",
    "आशी",
)


def found(wanted):
    return list(find_by_name(wanted, [(name, name) for name in NAMES]).found)


class TestFindByName:
    @pytest.mark.parametrize(
        ("wanted", "name"),
        (
            ("cleaning", "Cleaning"),
            ("CLEENING", "Cleaning"),
            ("the deep cleaning", "Deep Cleaning"),
            ("root", "Root Canal"),
            ("canal root", "Root Canal"),
            ("whitning", "Teeth Whitening"),
            ("anil", "Dr. Anil Sharma"),
            ("doctor prya", "Dr Priya Sharma"),
            ("elodie", "Élodie Martin"),
            ("doctor garcia", "José García"),
            ("आशा", "आशा"),
        ),
    )
    def test_finds_the_one(self, wanted, name):
        assert found(wanted) == [name]

    def test_offers_all_who_have_the_name(self):
        assert found("dr sharma") == ["Dr. Anil Sharma", "Dr Priya Sharma"]

    @pytest.mark.parametrize("wanted", ("xyz", "", "dr", "…"))
    def test_guesses_nothing(self, wanted):
        assert found(wanted) == []

    @given(st.text(max_size=200))
    def test_takes_any_text(self, wanted):
        find_by_name(wanted, [(name, name) for name in NAMES])

    @given(st.sampled_from(NAMES))
    def test_finds_a_name_by_itself(self, name):
        assert found(name) == [name]


@pytest.mark.parametrize("text", ("anyone", "No preference", "any", "N/A", "cualquiera"))
def test_means_anyone(text):
    assert means_anyone(text)


@pytest.mark.parametrize("text", ("Anyone Sharma", "Priya", ""))
def test_means_someone(text):
    assert not means_anyone(text)
