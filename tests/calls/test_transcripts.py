from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.transcripts import (
    MAX_CHARACTERS,
    MAX_TURNS,
    mask,
    query_words,
    summarise,
    tidy,
    turn,
    words_of,
)


class TestTidy:
    def test_orders_by_time_and_drops_silence(self):
        turns = [turn("agent", "b", 2), turn("caller", " ", 1), turn("caller", "a", -3)]
        assert [one["text"] for one in tidy(turns)] == ["a", "b"]
        assert tidy(turns)[0]["offset_seconds"] == 0

    def test_keeps_the_order_where_no_times_are_known(self):
        turns = [turn("agent", str(number), None) for number in range(5)]
        assert [one["text"] for one in tidy(turns)] == ["0", "1", "2", "3", "4"]

    def test_has_an_end(self):
        assert len(tidy([turn("agent", "a", 0)] * (MAX_TURNS + 5))) == MAX_TURNS
        [long] = tidy([turn("agent", "a" * (MAX_CHARACTERS + 5), 0), turn("agent", "b", 1)])
        assert len(long["text"]) == MAX_CHARACTERS


class TestMask:
    @pytest.mark.parametrize(
        "number",
        (
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "4111. 1111. 1111. 1111",
            "378282246310005",
            "6304000000000000",
        ),
    )
    def test_takes_out_card_numbers(self, number):
        assert mask(f"It is {number}, yes.") == "It is [card], yes."

    @pytest.mark.parametrize(
        "text",
        (
            "Call me at +91 98765 43210.",
            "My number is 9876543210123 or so.",
            "Order 4111111111111112",
            "I was born on 12 03 1980 at 10 30",
            "@home at 10",
            "12345678901234567890123456789",
        ),
    )
    def test_leaves_other_numbers(self, text):
        assert mask(text) == text

    @pytest.mark.parametrize(
        "address", ("asha@example.com", "Asha.Rao+tag@mail.example.co.in", "ä_b@exämple.de")
    )
    def test_takes_out_email_addresses(self, address):
        assert mask(f"Write to {address}, please.") == "Write to [e-mail], please."

    @given(st.text(alphabet="0123456789 -.@ab", max_size=400))
    def test_is_done_after_once(self, text):
        assert mask(mask(text)) == mask(text)


class TestWords:
    def test_are_lower_case_and_stand_once(self):
        turns = [turn("caller", "Clean, CLEAN teeth! At 10:30.", 0)]
        assert words_of(turns, "Teeth_x") == " teeth x clean at 10 30"

    @given(st.text(max_size=100))
    def test_of_a_text_are_those_that_a_search_for_it_asks(self, text):
        assert words_of([turn("caller", text, 0)], "").split() == query_words(text)


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
