from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.words import query_words, words_of
from tests.factories import make_call

URL = "/api/v1/calls"

SAID = (
    "मेरी किताब और काम के बारे में",
    "明日の午前中に歯のクリーニングを予約したいです",
    "我想预约牙齿清洁",
    "ฉันต้องการนัดทำความสะอาดฟัน",
    "Élodie Straße ÉPIL naïve",
    "நாளை மருத்துவரை சந்திக்க",
    "치과 예약하고 싶어요",
    "Clean 10:30 COVID-19 x4111",
    "می\u200cخواهم وقت بگیرم",
    "İstanbul ﬁne ３０分",
)
VERDICTS = (
    ("काम", 0),
    ("किताब", 0),
    ("किता", 0),
    ("कि", 0),
    ("क", 0),
    ("ताब", None),
    ("कम", None),
    ("कीताब", None),
    ("予約", 1),
    ("クリーニング", 1),
    ("歯のクリーニングを予約したい", 1),
    ("予約 午前", 1),
    ("夜", None),
    ("预约", 2),
    ("牙齿清洁", 2),
    ("นัด", 3),
    ("ความสะอาด", 3),
    ("elodie", 4),
    ("ÉLODIE", 4),
    ("e\u0301lodie", 4),
    ("épi", 4),
    ("strasse", 4),
    ("STRASSE", 4),
    ("naive", 4),
    ("மருத்துவ", 5),
    ("예약", 6),
    ("covid", 7),
    ("10 30", 7),
    ("x41", 7),
    ("میخواهم", 8),
    ("30分", 9),
    ("fine", 9),
)


class TestSearch:
    @pytest.mark.parametrize(("text", "place"), VERDICTS)
    def test_finds_words_of_every_script(self, client, business, text, place):
        """On PostgreSQL and on SQLite alike."""
        calls = [make_call(business, transcript=[("caller", said)]).pk for said in SAID]
        body = client.get(URL, {"search": text}).json()
        assert [row["id"] for row in body["data"]] == ([] if place is None else [calls[place]])
        assert body["meta"]["total"] == len(body["data"])


class TestWords:
    @given(st.text(max_size=100))
    def test_of_a_text_are_found_by_a_search_for_it(self, text):
        words = words_of([text]).split()
        assert all(any(word.startswith(asked) for word in words) for asked in query_words(text))

    @pytest.mark.parametrize("text", ("₨", "™", "ℂ", "a𝐁c"))
    def test_of_compatibility_forms_are_found_too(self, text):
        assert query_words(text) == words_of([text]).split() == [query_words(text)[0].lower()]

    @given(st.text(max_size=100))
    def test_are_safe_for_every_parser(self, text):
        assert all(word.isascii() and word.isalnum() for word in query_words(text))
        assert all(word.isascii() and word.isalnum() for word in words_of([text]).split())
