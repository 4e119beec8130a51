"""Finds card numbers with their expiry dates and security codes in a text. Pure.

A card number is a window of 13 to 19 digits that passes the Luhn check, begins like a card of a
known scheme, and is grouped the way cards are written or dictated. Digits may be spoken as words.
Takes time linear in the text, and looks closely at a bounded part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers

from calls.digits import TOKEN, Token, tokens_of

Span = tuple[int, int]

# --- Limits: no text costs more than these let it ------------------------------------------------

# Characters of numbers that are analysed in one text. A conversation of a day has fewer; what follows
# them is masked as a whole.
_MAX_ANALYSED: Final = 40_000
_MAX_CARDS: Final = 500
# Digits and characters of one number. A longer one is not dictated: it is masked as a whole.
_LONGEST_RUN: Final = 500
_LONGEST_STRETCH: Final = 4_000

# --- Runs of digits ------------------------------------------------------------------------------

_SEPARATOR = r"[\s\u200b-\u200d\u2060\ufeff\-\u2010-\u2015\u2212/,.+_|*·•;:…~()\[\]{}'\"“”‘’]"
_FILLER = (
    r"(?:and|then|next|followed by|okay|ok|uh|um|er|dash|hyphen|space|slash"
    r"|luego|después|ensuite|puis|dann|aur|phir|और|फिर)"
)
_BETWEEN = re.compile(rf"{_SEPARATOR}{{0,8}}(?:{_FILLER}{_SEPARATOR}{{1,6}}){{0,2}}", re.IGNORECASE)
_LONGEST_BETWEEN: Final = 24
_SHORTEST_CARD: Final = 13  # digits, and so characters

# Numbers close to each other, with anything that may be between the numbers of a run, and more: a
# cheap first pass, without backtracking, which finds what is worth tokenizing.
_STRETCH = re.compile(
    rf"{TOKEN}(?>[\W_]{{0,8}}+(?:{_FILLER}[\W_]{{1,6}}+){{0,2}}+{TOKEN})*+", re.IGNORECASE
)

# Dates, times, international phone numbers and prices end a run: their digits are not those of a card.
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"(?<![\d])(?<!\d[-/.])(?:(?:{_DAY}([-/.]){_MONTH}|{_MONTH}([-/.]){_DAY})(?:\1|\2){_YEAR}"
    rf"|{_YEAR}([-/.]){_MONTH}\3{_DAY})(?!\d)(?![-/.]\d)"
)
_PHONE = re.compile(
    r"(?<!\d)(?:(?<!\d )\+|(?<!\d[\s.,/-])(?<!\d[\s.,/-]{2})00)[1-9](?:[\s.()-]{0,2}\d){6,13}(?!\d)(?![\s.-]{1,2}\d)"
)
_TIME = re.compile(r"(?<!\d)(?<!\d:)(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?!\d)(?!:\d)")
_PRICE = re.compile(
    r"[₹$€£¥]\s?(?:\d{1,3}(?:,\d{2,3})+|\d{1,7})(?:\.\d{1,2})?(?!\d)(?![\s-]{1,2}\d)"
)


@dataclass(frozen=True, slots=True)
class _Run:
    """Numbers with nothing but separators between them."""

    tokens: Sequence[Token]
    digits: str


_AROUND: Final = 48  # characters: a phone number or date may begin before a stretch or end after it


def _runs_in(text: str, start: int, end: int) -> Iterator[_Run]:
    """The runs of 13 digits or more in the stretch `text[start:end]`."""
    before, after = max(0, start - _AROUND), min(len(text), end + _AROUND)
    others = sorted(
        found.span()
        for pattern in (_DATE, _PHONE, _PRICE, _TIME)
        for found in pattern.finditer(text, before, after)
    )
    ahead = iter(others)
    other = next(ahead, None)
    run: list[Token] = []
    for token in tokens_of(text, start, end):
        while other is not None and other[1] <= token.start:
            other = next(ahead, None)
        if other is not None and other[0] <= token.start:
            yield from _close(run)
            run = []
            continue
        if run and not _is_between(text, run[-1].end, token.start):
            yield from _close(run)
            run = []
        run.append(token)
    yield from _close(run)


def _is_between(text: str, start: int, end: int) -> bool:
    short = end - start <= _LONGEST_BETWEEN
    return short and _BETWEEN.fullmatch(text, start, end) is not None


def _close(run: list[Token]) -> Iterator[_Run]:
    digits = "".join(token.digits for token in run)
    if len(digits) >= _SHORTEST_CARD:
        yield _Run(run, digits)


# --- Cards in a run ------------------------------------------------------------------------------

# Issuer prefixes (ISO/IEC 7812) with the lengths that the scheme issues, likeliest first.
_SCHEMES: Final = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        (r"4", (16, 19, 18, 13)),  # Visa
        (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-4]", (16,)),  # Mastercard, Mir
        (r"3[47]", (15,)),  # American Express
        (r"30[0-5]|3[689]", (14, 16, 19)),  # Diners Club
        (r"35(?:2[89]|[3-8])", (16, 19)),  # JCB
        (r"6(?:011|4[4-9]|5|2|0)|8[12]|508", (16, 19, 18, 17)),  # Discover, UnionPay, RuPay
        (r"5[0678]|6[0-9]", (16, 19, 18, 17, 15, 14, 13)),  # Maestro
        (r"9792", (16,)),  # Troy
    )
)
_FOURS: Final = frozenset({4, 8, 12, 16})
_AMEX: Final = frozenset({4, 10})


class _Luhn:
    """Luhn check of any window of `digits` in constant time, by prefix sums."""

    def __init__(self, digits: str) -> None:
        sums: tuple[list[int], list[int]] = ([0], [0])
        for index, character in enumerate(digits):
            value = int(character)
            doubled = 2 * value - 9 if value > 4 else 2 * value
            for parity in (0, 1):
                same = index % 2 == parity
                sums[parity].append(sums[parity][-1] + (value if same else doubled))
        self._sums = sums

    def passes(self, start: int, end: int) -> bool:
        sums = self._sums[(end - 1) % 2]
        return (sums[end] - sums[start]) % 10 == 0


def _cards_in(run: _Run, text: str) -> Iterator[Span]:
    """Windows of `run.digits` that are card numbers, from left to right, without overlap."""
    luhn, digits = _Luhn(run.digits), run.digits
    last = 0
    offset = 0
    for index, token in enumerate(run.tokens):
        for start in _starts_in(token, offset):
            if start < last:
                continue
            for length in _lengths_at(digits, start):
                end = start + length
                if (
                    end <= len(digits)
                    and luhn.passes(start, end)
                    and _is_card(run, index, offset, start, end, text)
                ):
                    last = end
                    yield start, end
                    break
        offset += len(token.digits)


def _starts_in(token: Token, offset: int) -> Iterable[int]:
    """Where a card number may begin: at a number, or inside one that is too long for one alone."""
    size = len(token.digits)
    if size < _SHORTEST_CARD:
        return (offset,)
    if size >= 20:
        return range(offset, offset + size - _SHORTEST_CARD + 1)
    # Digits before it or after it without a space: its beginning or its end is the card's.
    return (offset, *range(offset + max(1, size - 16), offset + size - 14))


def _lengths_at(digits: str, start: int) -> Iterable[int]:
    for prefix, lengths in _SCHEMES:
        if prefix.match(digits, start):
            yield from lengths


def _is_card(run: _Run, index: int, offset: int, start: int, end: int, text: str) -> bool:
    """Whether the window is grouped like a card number and is no phone number."""
    bounds: list[int] = []
    sizes: list[int] = []
    plain, position = True, offset
    for following, token in enumerate(run.tokens[index : index + 20], start=index):
        if sizes:
            plain = (
                plain
                and _PLAIN.fullmatch(text, run.tokens[following - 1].end, token.start) is not None
            )
        position += len(token.digits)
        sizes.append(1 if token.spoken else len(token.digits))
        if position >= end:
            break
        bounds.append(position - start)
    if not _is_grouped(bounds, sizes, end - start, whole=position == end, plain=plain):
        return False
    if end - start > 15:
        return True  # longer than any phone number
    first = run.tokens[index].start
    plus = start == offset and first > 0 and text[first - 1] == "+"
    return not plus and not _is_phone(run.digits[start:end])


# Between groups that are not fours: two numbers of a list have a comma between them.
_PLAIN = re.compile(r"[\s\u200b-\u200d\u2060\ufeff\-\u2010-\u2015\u2212]{1,4}")


def _is_grouped(
    bounds: Sequence[int], sizes: Sequence[int], length: int, *, whole: bool, plain: bool
) -> bool:
    boundaries = frozenset(bounds)
    for scheme in (_FOURS, _AMEX) if length <= 15 else (_FOURS,):
        groups = frozenset(boundary for boundary in scheme if boundary < length)
        if boundaries == groups:
            return True
        # Groups divided further (4 11 1 …), or written together (8-8, 4-12).
        if whole and (boundaries > groups or (boundaries < groups and plain)):
            return True
    if not boundaries:
        return True
    # One by one, in pairs, in threes; the last group may be shorter.
    alike = whole and set(sizes[:-1]) == {sizes[0]} and sizes[-1] <= sizes[0]
    return alike and (plain or sizes[0] <= 2)


def _is_phone(digits: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


# --- Expiry and security code --------------------------------------------------------------------

_NEARBY: Final = 200
_DETAIL = re.compile(
    r"(?<!\w)(?:cvv2?|cvc2?|cvn|cid|csc|pin|code|codes|security number|verification (?:number|value)"
    r"|(?:three|four|3|4)[ -]digits?|exp|expiry|expires?|expiring|expiration|validity"
    r"|(?:valid|good) (?:thru|through|till|until|up ?to|to|from)|month|year)(?!\w)"
    r"|सीवीवी|एक्सपायरी|कोड|समाप्ति|वैध|पिन",
    re.IGNORECASE,
)
_GAP: Final = 40  # characters between "the code" and its digits
_TAIL: Final = 128  # characters: the longest gap, details and the gaps between them
_MOST_DETAIL: Final = 10  # digits: MM YYYY and four of a code


def _details_after(run: _Run, end: int) -> int:
    """How far expiry and security code go on after a card, as an index of `run.digits`."""
    position, last = 0, end
    for token in run.tokens:
        position += len(token.digits)
        if position <= end:
            continue
        rest = position - max(end, position - len(token.digits))
        # Six or seven digits without a space: MMYY and a code, or MMYYYY.
        if rest > 7 or rest == 5 or position - end > _MOST_DETAIL:
            break
        last = position
    return last


def _details_near(text: str, cards: Sequence[Span]) -> Iterator[Span]:
    """Numbers that follow "CVV", "expires" and the like near a card."""
    for start, end in _neighbourhoods(text, cards):
        tokens = tokens_of(text, start, end + _TAIL)
        token = next(tokens, None)
        for found in _DETAIL.finditer(text, start, end):
            while token is not None and token.start < found.end():
                token = next(tokens, None)
            count, last = 0, found.end()
            while token is not None and token.start - last <= (_GAP if count == 0 else 6):
                count += len(token.digits)
                if count > _MOST_DETAIL or len(token.digits) > 7:
                    break
                yield token.start, token.end
                last = token.end
                token = next(tokens, None)


def _neighbourhoods(text: str, cards: Sequence[Span]) -> Iterator[Span]:
    """The parts of the text near `cards`, in order and without overlap; cards are no part of them."""
    before = 0
    for card, (start, end) in enumerate(cards):
        if card == 0 or start - before > 2 * _NEARBY:
            if card:
                yield before, before + _NEARBY
            yield max(before, start - _NEARBY), start
        else:
            yield before, start
        before = end
    yield before, min(len(text), before + _NEARBY)


# --- Texts ---------------------------------------------------------------------------------------


def card_spans(text: str) -> list[Span]:
    """Offsets of the cards in `text` and of their details, in order and without overlap."""
    cards = list(_cards_of(text))
    return _merged(text, [*cards, *_details_near(text, cards)]) if cards else []


def _cards_of(text: str) -> Iterator[Span]:
    analysed = cards = 0
    for found in _STRETCH.finditer(text):
        start, end = found.span()
        length = end - start
        analysed += 1 if length < _SHORTEST_CARD or length > _LONGEST_STRETCH else length
        if analysed > _MAX_ANALYSED or cards > _MAX_CARDS:
            yield start, len(text)
            return
        if length > _LONGEST_STRETCH:
            yield start, end
        elif length >= _SHORTEST_CARD:
            for span in _cards_in_stretch(text, start, end):
                cards += 1
                yield span


def _cards_in_stretch(text: str, start: int, end: int) -> Iterator[Span]:
    for run in _runs_in(text, start, end):
        if len(run.digits) > _LONGEST_RUN:
            yield run.tokens[0].start, run.tokens[-1].end
            continue
        for first, last in _cards_in(run, text):
            yield _span_in_text(run, first, _details_after(run, last))


def _span_in_text(run: _Run, start: int, end: int) -> Span:
    """Offsets in the text of `run.digits[start:end]`."""
    position = 0
    begin = finish = -1
    for token in run.tokens:
        size = len(token.digits)
        if begin < 0 and start < position + size:
            begin = token.start if token.spoken else token.start + start - position
        if end <= position + size:
            finish = token.end if token.spoken else token.start + end - position
            break
        position += size
    return begin, finish


def _merged(text: str, spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and (start <= merged[-1][1] or _is_between(text, merged[-1][1], start)):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def asks_for_details(text: str) -> bool:
    """Whether `text` names a security code or an expiry date."""
    return _DETAIL.search(text) is not None


def leading_details(text: str) -> Iterator[Span]:
    """Numbers at the beginning of `text`, as many as a security code or an expiry date has."""
    count, end = 0, 0
    for token in tokens_of(text, 0, 200):
        count += len(token.digits)
        if token.start - end > _GAP or count > _MOST_DETAIL:
            return
        yield token.start, token.end
        end = token.end
