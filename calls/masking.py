"""Masks card numbers, their expiry dates and security codes, and e-mail addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from calls.card_numbers import Span, asks_for_details, card_spans, leading_details
from calls.transcripts import Turn

CARD: Final = "[card]"
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}")


def mask(text: str) -> str:
    """`text` without card numbers, their details, and e-mail addresses."""
    text = _without_emails(text)
    return _replace(text, card_spans(text))


def mask_turns(turns: Sequence[Turn]) -> list[Turn]:
    """`turns` masked; what a speaker says in several turns is read as one text."""
    texts = [_without_emails(one["text"]) for one in turns]
    spans: list[list[Span]] = [[] for _ in turns]
    for speaker in dict.fromkeys(one["speaker"] for one in turns):
        indexes = [index for index, one in enumerate(turns) if one["speaker"] == speaker]
        _spread(indexes, texts, spans)
    _mask_replies(turns, texts, spans)
    return [
        {**one, "text": _replace(text, found)} if found or text != one["text"] else one
        for one, text, found in zip(turns, texts, spans, strict=True)
    ]


def _without_emails(text: str) -> str:
    return _EMAIL.sub("[e-mail]", text) if "@" in text else text


def _spread(indexes: Sequence[int], texts: Sequence[str], spans: list[list[Span]]) -> None:
    """Adds to `spans` what is found in the turns at `indexes` read as one text."""
    found = iter(card_spans("\n".join(texts[index] for index in indexes)))
    span: Span | None = next(found, None)
    begin = 0
    for index in indexes:
        end = begin + len(texts[index])
        while span is not None and span[0] < end:
            start = max(span[0], begin)
            if span[1] > start:
                spans[index].append((start - begin, min(span[1], end) - begin))
            if span[1] > end:
                break  # goes on in the speaker's next turn
            span = next(found, None)
        while span is not None and span[1] <= end + 1:
            span = next(found, None)
        begin = end + 1


_REPLY_WITHIN: Final = 12  # turns after the card


def _mask_replies(turns: Sequence[Turn], texts: Sequence[str], spans: list[list[Span]]) -> None:
    """Masks "1 2 3" after the other side asked for the security code of a card."""
    last_card = -_REPLY_WITHIN - 1
    for index, text in enumerate(texts):
        if spans[index]:
            last_card = index
        asked = index > 0 and turns[index - 1]["speaker"] != turns[index]["speaker"]
        if not asked or index - last_card > _REPLY_WITHIN or spans[index]:
            continue
        if asks_for_details(texts[index - 1]):
            spans[index].extend(leading_details(text))


def _replace(text: str, spans: Sequence[Span]) -> str:
    parts, last = [], 0
    for start, end in spans:
        parts += [text[last:start], CARD]
        last = end
    return "".join([*parts, text[last:]])
