"""Card numbers and e-mail addresses in every rendering that people and transcribers produce."""

from __future__ import annotations

import random
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.call_report import CallReport
from calls.digits import tokens_of
from calls.masking import mask, mask_turns
from calls.models import Call
from calls.operations import ingest_call
from calls.transcripts import turn
from tests.calls.test_ingestion import ANALYSED, ENDING, NOW
from webhooks.models import Event

# Test numbers that the schemes and their processors publish.
CARDS = {
    "visa": "4111111111111111",
    "visa-2": "4012888888881881",
    "visa-13": "4222222222222",
    "visa-19": "4111111111111111110",
    "mastercard": "5555555555554444",
    "mastercard-2": "2223003122003222",
    "amex": "378282246310005",
    "amex-2": "371449635398431",
    "discover": "6011111111111117",
    "diners": "30569309025904",
    "jcb": "3530111333300000",
    "maestro": "6304000000000000",
    "unionpay": "6200000000000005",
    "rupay": "6521111111111110",
}
SEPARATORS = (
    *(" ", "\u00a0", "\u2009", "\u202f", "-", "\u2013", "/", ",", ".", "\n", "+", " - "),
    *(
        ", ",
        ". ",
        " \u2013 ",
        "  ",
        "\u2014",
        "\t",
        "_",
        ";",
        ": ",
        "… ",
        "... ",
        " ~ ",
        ") (",
        "' '",
        "” “",
    ),
    *(" next ", ", okay, ", " followed by ", ", then ", " uh "),
)
FOLLOWED = (
    "",
    " 12 27 and the code is 987",
    ", 12/27, 987",
    " expires 12/27 CVV 987",
    "\nexpiry date: 12-2027, security code: 987",
    " 1227987",
    ". The CVC is nine eight seven, valid thru twelve twenty-seven",
)
DIGITS = {
    "english": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "oh": ["oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "hindi": ["शून्य", "एक", "दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ", "नौ"],
    "hinglish": ["shunya", "ek", "do", "teen", "char", "paanch", "chhe", "saat", "aath", "nau"],
    "spanish": ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"],
    "french": ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"],
    "german": ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
}


def grouped(number: str, separator: str) -> str:
    sizes = (4, 6, 5) if len(number) in (14, 15) else (4, 4, 4, 4, 3)
    groups, rest = [], number
    for size in sizes:
        groups, rest = [*groups, rest[:size]], rest[size:]
    return separator.join(group for group in groups if group)


def doubled(number: str, words: list[str]) -> str:
    """`double four`, `triple one` wherever digits repeat."""
    parts, place = [], 0
    while place < len(number):
        run = next(
            size for size in (3, 2, 1) if number[place : place + size] == number[place] * size
        )
        parts.append({3: "triple ", 2: "double ", 1: ""}[run] + words[int(number[place])])
        place += run
    return " ".join(parts)


def renderings() -> list[str]:
    written = [grouped(CARDS[name], separator) for name, separator in product(CARDS, SEPARATORS)]
    written += [" ".join(number) for number in CARDS.values()]
    written += [
        " ".join(number[place : place + 2] for place in range(0, len(number), 2))
        for number in CARDS.values()
    ]
    written += list(CARDS.values())
    spoken = [
        " ".join(words[int(digit)] for digit in number)
        for words, number in product(DIGITS.values(), CARDS.values())
    ]
    spoken += [doubled(number, DIGITS["english"]) for number in CARDS.values()]
    devanagari = str.maketrans("0123456789", "०१२३४५६७८९")
    spoken += [grouped(number, " ").translate(devanagari) for number in CARDS.values()]
    return written + spoken


RENDERINGS = renderings()


def traces(text: str) -> list[str]:
    """What is left of a card in `text`."""
    words = {word for words in DIGITS.values() for word in words} | {"double", "triple"}
    left = [character for character in text if character.isdigit()]
    return left + [
        word for word in text.replace(",", " ").replace(".", " ").split() if word in words
    ]


class TestCards:
    def test_there_are_enough_renderings(self):
        assert len(set(RENDERINGS)) >= 600

    @pytest.mark.parametrize("followed", FOLLOWED)
    def test_are_masked_in_every_rendering(self, followed):
        """With expiry and security code, in the text around them."""
        clear = {
            text: masked
            for text in RENDERINGS
            if traces(masked := mask(f"So it is {text}{followed}, thanks."))
        }
        assert clear == {}

    @pytest.mark.parametrize("text", ("It is {}, yes.", "{}", "The card: {}. Please"))
    def test_are_replaced_and_nothing_else_is(self, text):
        for number in RENDERINGS:
            assert mask(text.format(number)) == text.format("[card]")

    @pytest.mark.parametrize(
        ("text", "masked"),
        (
            ("12 4111 1111 1111 1111", "12 [card]"),
            ("CVV 123, card 4111 1111 1111 1111", "CVV [card], card [card]"),
            (
                "The code is 123. My card is 4111111111111111.",
                "The code is [card]. My card is [card].",
            ),
            ("3782 822463 10005 1234", "[card]"),
            ("99 41111111111111111227123", "99 [card]"),
            ("4111 1111 1111 1111, 5555 5555 5555 4444", "[card]"),
            ("4111 one one one one 1111 1111", "[card]"),
            ("forty-one eleven eleven eleven eleven eleven eleven eleven", "[card]"),
            ("4111 1111 and 1111 1111", "[card]"),
            ("4111 1111 1111 1111 expires December 2027", "[card] expires December [card]"),
            ("4111 1111 1111 1111. I come at 10 30 on Monday", "[card]. I come at 10 30 on Monday"),
            ("4111 1111 1111 1111, call 98765 43210", "[card], call 98765 43210"),
        ),
    )
    def test_are_masked_with_their_surroundings(self, text, masked):
        assert mask(text) == masked

    @given(st.text(alphabet="0123456789 -.@ab/+,", max_size=400))
    def test_masking_twice_leaves_no_card(self, text):
        once = mask(text)
        assert mask(once).count("[card]") >= once.count("[card]")


class TestTurns:
    def test_of_one_speaker_are_read_together(self):
        turns = [
            turn("caller", "Sure, 4111 1111", 0),
            turn("agent", "Go on.", 1),
            turn("caller", "1111", 2),
            turn("caller", "1111, okay?", 3),
        ]
        assert [one["text"] for one in mask_turns(turns)] == [
            *("Sure, [card]", "Go on.", "[card]", "[card], okay?"),
        ]

    @pytest.mark.parametrize("answer", ("123", "It's 1 2 3.", "one two three"))
    def test_that_give_the_code_asked_for_are_masked(self, answer):
        turns = [
            turn("caller", "4111 1111 1111 1111", 0),
            turn("agent", "And the security code?", 1),
            turn("caller", answer, 2),
            turn("agent", "When shall we meet?", 3),
            turn("caller", "At 10 30.", 4),
        ]
        texts = [one["text"] for one in mask_turns(turns)]
        assert "[card]" in texts[2]
        assert traces(texts[2]) == []
        assert texts[4] == "At 10 30."

    @pytest.mark.parametrize("card", CARDS)
    @pytest.mark.parametrize("size", (None, 2, 4, 6, 8))
    def test_with_parts_of_a_card_show_none_of_it(self, card, size):
        """With the expiry date in the last one; as a card is grouped also with words between."""
        number = CARDS[card]
        if size is None:
            parts, words = grouped(number, " ").split(), ("It's ", "and ", "okay, ", "then ", "")
        else:
            parts = [number[place : place + size] for place in range(0, len(number), size)]
            words = ("It's ", *[""] * len(parts))
        turns = []
        for word, part in zip(words, parts, strict=False):
            turns += [turn("caller", word + part, 0), turn("agent", "Yes, go on.", 0)]
        turns.append(turn("caller", "expires 12/27, code 987", 99))
        left = {one["text"]: traces(one["text"]) for one in mask_turns(turns)}
        assert {text: found for text, found in left.items() if found} == {}

    def test_keep_speaker_and_offset(self):
        [one] = mask_turns([turn("agent", "4111 1111 1111 1111", 2.5)])
        assert one == {"speaker": "agent", "text": "[card]", "offset_seconds": 2.5}


def plain_numbers() -> list[str]:
    """Phones, prices, dates, times and references as callers give them."""
    pick = random.Random(7)
    numbers = []
    for _ in range(60):
        digits = "".join(pick.choices("0123456789", k=10))
        day, month, year = pick.randint(1, 28), pick.randint(1, 12), pick.randint(2020, 2030)
        hour, minute = pick.randint(0, 23), pick.choice((0, 15, 30, 45))
        local = f"{pick.randint(6, 9)}{digits[1:]}"
        numbers += [
            f"+91 {local[:5]} {local[5:]}",
            f"0{local[:5]}-{local[5:]}",
            "seis " + " ".join(DIGITS["spanish"][int(digit)] for digit in digits[:8]),
            f"+44 20 {digits[:4]} {digits[4:8]}",
            f"0044 7{digits[:3]} {digits[3:9]}",
            f"+1 ({digits[:3]}) 555-{digits[3:7]}",
            f"+49 151 {digits[:8]}",
            f"+55 11 9{digits[:4]}-{digits[4:8]}",
            f"₹{pick.randint(100, 99999)}.00",
            f"{pick.randint(1, 9)},{pick.randint(100, 999)},{pick.randint(100, 999)}.50 rupees",
            f"{year}-{month:02}-{day:02}",
            f"{day:02}/{month:02}/{year} {hour:02}:{minute:02}",
            f"{day:02}.{month:02}.{year} to {day + 1:02}.{month:02}.{year}",
            f"{hour:02}:{minute:02} or {(hour + 1) % 24:02}:{minute:02}",
            f"BK-{digits[:8]}",
            f"{year}{month:02}{day:02}-{digits[:4]}",
            f"#{digits} of {day:02}/{month:02}/{year}",
            f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z",
            f"{year}{month:02}{day:02}{hour:02}{minute:02}00",
            f"{hour:02}:{minute:02}; {(hour + 2) % 24:02}:{minute:02}; {(hour + 5) % 24:02}:{minute:02}",
            f"{pick.randint(1, 9)},{pick.randint(100, 999)}; {pick.randint(10, 99)},{pick.randint(100, 999)}",
            f"({digits[:3]}) ({digits[3:10]})",
            "nine " + " ".join(DIGITS["english"][int(digit)] for digit in digits[:9]),
        ]
    return numbers


class TestOtherNumbers:
    def test_are_left(self):
        texts = [f"Please note {number}, thank you." for number in plain_numbers()]
        assert len(texts) > 1000
        assert [text for text in texts if mask(text) != text] == []

    def test_are_left_where_two_stand_together(self):
        numbers = plain_numbers()
        pairs = [
            f"{one}{between}{other}"
            for one, other in pairwise(numbers)
            for between in (", ", "; ", " … ")
        ]
        assert [text for text in pairs if mask(text) != text] == []

    @pytest.mark.parametrize(
        "text",
        (
            "Call me at +91 98765 43210.",
            "My number is 9876543210123 or so.",
            "Order 4111111111111112",
            "I was born on 12 03 1980 at 10 30",
            "30/06/2026 or 30/07/2026",
            "+4915112345678",
            "4915112345678",
            "@home at 10",
            "The code is 123.",
        ),
    )
    def test_are_left_also_where_they_look_like_one(self, text):
        assert mask(text) == text


class TestEmails:
    @pytest.mark.parametrize(
        "address",
        (
            "asha@example.com",
            "Asha.Rao+tag@mail.example.co.in",
            "ä_b@exämple.de",
            f"{'a' * 80}@b.de",
        ),
    )
    def test_are_masked(self, address):
        assert mask(f"Write to {address}, please.") == "Write to [e-mail], please."


class TestStored:
    SAID = "My card is 4111 1111 1111 1111 12 27 and the code is 987, I need a cleaning tomorrow."

    @pytest.mark.django_db
    def test_calls_show_no_card_anywhere(self, business):
        """Also where the summary is ours, made of what was said."""
        for place, text in enumerate(RENDERINGS[::4]):
            report = CallReport(
                provider_call_id=f"c-{place}",
                status="completed",
                started_at=ENDING.started_at,
                turns=[turn("caller", f"I need a cleaning. Card {text} 12 27 987.", 0)],
                sentiment="neutral",
            )
            ingest_call(business=business, provider="kaivox", report=report, now=NOW)
        for call in Call.objects.all():
            stored = f"{call.transcript[0]['text']} {call.summary} {call.words}"
            assert traces(stored) == [], stored
        bodies = "".join(
            str(row.body, "utf-8") if isinstance(row.body, bytes) else bytes(row.body).decode()
            for row in Event.objects.filter(type="call.completed")
        )
        assert bodies.count("[card]") >= len(RENDERINGS[::4])
        for number in CARDS.values():
            assert number[:12] not in bodies
            assert number[4:8] + " " + number[8:12] not in bodies

    @pytest.mark.django_db
    def test_summaries_of_providers_are_masked(self, business):
        report = ANALYSED
        call = ingest_call(
            business=business,
            provider="kaivox",
            report=CallReport(
                provider_call_id="c-1",
                status="completed",
                started_at=report.started_at,
                summary=self.SAID,
                sentiment="neutral",
            ),
            now=NOW,
        )
        assert traces(call.summary) == []


class TestLimits:
    CARD = "4111 1111 1111 1111"

    @pytest.mark.parametrize(
        "numbers",
        ("1 " * 60_000, "5 apples, " * 50_000, f"{CARD}; " * 600),
        ids=("one", "many", "cards"),
    )
    def test_mask_too_many_numbers_as_a_whole(self, numbers):
        masked = mask(f"Hello. {numbers} My card is {self.CARD}")
        assert masked.startswith("Hello. ")
        assert masked.endswith("[card]")
        assert "1111" not in masked

    def test_leave_the_text_after_one_endless_number(self):
        assert mask(f"It is {'7' * 5_000}. Thanks") == "It is [card]. Thanks"

    def test_find_details_after_a_long_text(self):
        filler = "We talked about the garden. " * 1_000
        text = f"{filler}{self.CARD}, the code is 987. {filler}The code is 123."
        assert mask(text) == f"{filler}[card], the code is [card]. {filler}The code is 123."


class TestSpokenDigits:
    @pytest.mark.parametrize("six", ("six", "SIX", "ſix", "sıx", "SİX"))
    def test_are_read_in_letters_that_differ_in_case_alone(self, six):
        assert [token.digits for token in tokens_of(six)] == ["6"]
