"""The scorer against passages that it was not trained on, and against odd input."""

from __future__ import annotations

import json

import pytest

from calls.sentiment import LABELS, WEIGHTS, score
from tests.calls.sentiment.train import read, train

pytestmark = pytest.mark.once

# Under this, nothing may be said at all.
LEAST_AGREEMENT = 0.75


class TestAgreement:
    def test_on_the_passages_held_back(self):
        passages = read("held_back")
        answers = [(label, found.sentiment) for label, text in passages if (found := score(text))]
        agreed = sum(label == answer for label, answer in answers)
        assert len(passages) >= 120
        assert agreed / len(answers) >= LEAST_AGREEMENT
        assert agreed / len(passages) >= LEAST_AGREEMENT  # silence counts as a mistake here
        for wanted in LABELS:
            right = [label for label, answer in answers if answer == wanted]
            assert right.count(wanted) / len(right) >= LEAST_AGREEMENT

    def test_no_passage_is_in_both_sets(self):
        assert not {text for _, text in read("tuning")} & {text for _, text in read("held_back")}


class TestScore:
    @pytest.mark.parametrize("text", ("", "\n\n", "…", "12 34", "मुझे मंगलवार को आना है", "Guten Tag"))
    def test_says_nothing_without_english(self, text):
        assert score(text) is None

    def test_says_nothing_where_it_is_not_sure(self):
        assert score("Tomorrow after school would be good.\nFour is fine.\nNo, that's all.") is None

    def test_hears_the_feeling_in_a_long_call(self):
        plain = ["I'd like to book a cleaning.", "Tuesday, please.", "My name is Rao.", "At ten?"]
        angry = ["This is ridiculous, no one ever calls me back. I'm really not happy."] * 3
        assert score("\n".join(plain * 5)).sentiment == "neutral"
        found = score("\n".join(plain + angry))
        assert found.sentiment == "negative"
        assert -1 <= found.value < -0.3

    def test_is_the_same_every_time(self):
        text = "Oh wonderful, thank you so much!"
        assert score(text) == score(text)


class TestTraining:
    def test_makes_the_weights_that_are_in_use(self):
        """A small run: the whole one takes seconds, and the file says what it made."""
        weights = train(read("tuning")[::20])
        assert set(weights) <= set(json.loads(WEIGHTS.read_text()))
        assert all(len(of_name) == len(LABELS) for of_name in weights.values())
