"""The catalogue, and the rules of `say` whatever names a business has."""

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaivox.agents.context import ToolContext
from kaivox.agents.sentences import ENGLISH, LANGUAGES, SPANISH, find_language
from kaivox.agents.speech import LONGEST, say, say_choices, speakable, spoken, spoken_price
from tests import factories
from tests.agents.caller import check_say
from tests.agents.ways import Vapi

languages = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
# A name that looks like an id is read aloud all the same, also when it is shortened.
LIKE_AN_ID = re.compile(r"id|\d{5}|[0-9a-f]{8}-", re.IGNORECASE)
TEXTS = st.text(max_size=300).filter(lambda text: not LIKE_AN_ID.search(speakable(text)))


def placeholders(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@languages
class TestCatalogue:
    def test_has_every_sentence_with_its_placeholders(self, language):
        assert language.sentences.keys() == ENGLISH.sentences.keys()
        for key, sentence in language.sentences.items():
            assert placeholders(sentence) == placeholders(ENGLISH.sentences[key]), key

    def test_has_every_word(self, language):
        assert language.words.keys() == ENGLISH.words.keys()
        assert language.fields.keys() == ENGLISH.fields.keys()
        assert language.currencies.keys() == ENGLISH.currencies.keys()
        assert (len(language.weekdays), len(language.months)) == (7, 12)

    @given(TEXTS)
    def test_stays_within_the_rules_whatever_names_there_are(self, language, text):
        for key, sentence in language.sentences.items():
            names = placeholders(sentence)
            values = dict.fromkeys(names - {"choices"}, text)
            said = (
                say_choices(language, key, [text] * 4, **values)
                if "choices" in names
                else say(language, key, **values)
            )
            check_say({"say": said})


class TestSpoken:
    def test_days_and_times(self):
        assert ENGLISH.day(date(2026, 12, 1), False) == "Tuesday, December 1"
        assert SPANISH.day(date(2026, 12, 1), True) == "martes 1 de diciembre de 2026"
        assert [ENGLISH.clock(time(hour, 5)) for hour in (0, 9, 12, 23)] == [
            "12:05 AM",
            "9:05 AM",
            "12:05 PM",
            "11:05 PM",
        ]
        assert SPANISH.clock(time(15)) == "3 de la tarde"
        assert SPANISH.clock(time(0, 30)) == "12:30 de la noche"
        assert SPANISH.moment("el lunes", "1 de la tarde") == "el lunes a la 1 de la tarde"

    def test_in_the_zone_of_the_business(self):
        from zoneinfo import ZoneInfo

        business = SimpleNamespace(zone=ZoneInfo("Asia/Kolkata"))
        now = datetime(2026, 12, 31, 20, tzinfo=UTC)  # the new year has begun in Kolkata
        context = ToolContext(business=business, source="mcp", now=now)
        assert spoken(context, now) == "Friday, January 1 at 1:30 AM"
        assert spoken(context, datetime(2026, 12, 1, 10, tzinfo=UTC)).startswith(
            "Tuesday, December 1, 2026"
        )

    def test_prices(self):
        assert spoken_price(ENGLISH, Decimal("1200.00"), "INR") == "1,200 rupees"
        assert spoken_price(SPANISH, Decimal("12.50"), "USD") == "12.50 dólares"
        assert spoken_price(ENGLISH, Decimal(5), "CHF") == "5 CHF"

    def test_language_tags(self):
        assert find_language("es-MX") is SPANISH
        assert find_language("ES_ar") is SPANISH
        assert find_language("") is find_language("tlh") is ENGLISH

    def test_as_many_choices_as_fit(self):
        long = "word " * 20
        said = say_choices(ENGLISH, "times", [long.strip()] * 3)
        assert said.count(long.strip()) == 2
        assert len(said) <= LONGEST


@pytest.mark.django_db
class TestNamesOfABusiness:
    @pytest.mark.parametrize(
        "name",
        (
            "A" * 120,
            "*Bold* _x_ `c`",
            "Line\nbreak",
            "<b>Cut</b> [a](http://b)",
            "{time} {0}",
            "% s",
        ),
    )
    def test_never_break_a_sentence(self, clinic, name):
        for one in clinic.services.values():
            one.name = f"{name}{one.pk % 7}"[-120:]
            one.save()
        clinic.business.name = name
        clinic.business.save()
        factories.make_staff(clinic.business, name=name, services=clinic.services.values())
        line = Vapi(clinic.business, phone="+919876543210")
        for tool, arguments in (
            ("business_info", {}),
            ("find_times", {"service": clinic.cleaning.pk, "day": "next week"}),
            ("find_times", {"service": "zzz", "day": name}),
            ("find_times", {"service": clinic.cleaning.pk, "staff": "qqq"}),
            ("book", {"service": clinic.cleaning.pk, "start": "tomorrow 10:00", "name": name}),
            ("customer_by_phone", {}),
            ("cancel", {}),
        ):
            check_say(line.call(tool, **arguments))
