from __future__ import annotations

import pytest

from calls.transcripts import (
    MAX_CHARACTERS,
    MAX_TURNS,
    summarise,
    tidy,
    turn,
    words_of,
)

pytestmark = pytest.mark.once


class TestTidy:
    def test_preserves_the_order_and_drops_empty_turns(self):
        turns = [turn("agent", "b", 2), turn("caller", " ", 1), turn("caller", "a", -3)]
        assert [one["text"] for one in tidy(turns)] == ["b", "a"]
        assert [one["offset_seconds"] for one in tidy(turns)] == [2, 0]

    def test_keeps_the_order_where_no_times_are_known(self):
        turns = [turn("agent", str(number), None) for number in range(5)]
        assert [one["text"] for one in tidy(turns)] == ["0", "1", "2", "3", "4"]

    def test_has_an_end(self):
        assert len(tidy([turn("agent", "a", 0)] * (MAX_TURNS + 5))) == MAX_TURNS
        [long] = tidy([turn("agent", "a" * (MAX_CHARACTERS + 5), 0), turn("agent", "b", 1)])
        assert len(long["text"]) == MAX_CHARACTERS


class TestWords:
    def test_are_lower_case_and_stand_once(self):
        turns = [turn("caller", "Clean, CLEAN teeth! At 10:30.", 0)]
        assert words_of(turns, "Teeth_x") == " teeth x clean at 10 30"


class TestSummarise:
    def test_takes_the_first_sentences_of_substance(self):
        turns = [
            turn("agent", "Smile Dental, how can I help you today?", 0),
            turn("caller", "Hi. Yes, hello.", 2),
            turn("caller", "I have a broken tooth since Monday. It hurts when I eat. Today?", 4),
        ]
        assert summarise(turns) == "I have a broken tooth since Monday. It hurts when I eat."

    def test_says_nothing_where_nothing_was_said(self):
        assert summarise([turn("agent", "Hello, is anybody there?", 0)]) == ""

    def test_is_short(self):
        assert len(summarise([turn("caller", "tooth " * 500, 0)])) == 400
