"""Splits a text into words for the search in calls, the same on both databases. Pure.

Case and accents are folded. Combining marks, such as the vowel signs of Hindi, belong to their word.
Scripts that write no spaces (Japanese, Chinese, Thai and others) are cut into every sequence of four
characters, so that a word is found inside a run. Words that are not ASCII are encoded with
a to p, five for each character: PostgreSQL's parser would split some of them again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

_MAX_WORD: Final = 60
_GRAM: Final = 4


def _marks(start: int, end: int) -> str:
    """The combining marks from `start` to before `end`."""
    codes = range(start, end)
    return "".join(chr(code) for code in codes if unicodedata.category(chr(code))[0] == "M")


# Two classes, as `re` looks a character up in a class within U+FFFF, and compares it with each of a
# class beyond: ten times slower. The second is for rare scripts; above U+20000 are variation selectors.
_MARK: Final = (
    rf"(?:[{_marks(0x300, 0x10000)}]|(?=[\U00010000-\U0001ffff])[{_marks(0x10000, 0x20000)}])"
)
WORD: Final = re.compile(rf"[^\W_]+(?:{_MARK}+[^\W_]*)*")
_ASCII_WORD = re.compile("[a-z0-9]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
_JOINERS = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]+")
_NO_SPACES: Final = (
    "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_RUN = re.compile(rf"[{_NO_SPACES}]+|[^{_NO_SPACES}]+")
_HAS_NO_SPACES = re.compile(f"[{_NO_SPACES}]")
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def words_of(texts: Iterable[str]) -> str:
    """The different words of `texts`, each after a space, as `Call.words` stores them."""
    folded = _fold(" ".join(texts))
    if folded.isascii():
        unique = dict.fromkeys(_ASCII_WORD.findall(folded))
        return "".join(f" {word}" for word in dict.fromkeys(word[:_MAX_WORD] for word in unique))
    unique = dict.fromkeys(WORD.findall(folded))
    found = dict.fromkeys(word for run in _runs(unique) for word in _indexed(run))
    return "".join(f" {word}" for word in found)


def query_words(text: str) -> list[str]:
    """The words of a search for `text`: each is a word of `words_of`, or the beginning of one."""
    return list(
        dict.fromkeys(word for run in _runs(WORD.findall(_fold(text))) for word in _searched(run))
    )


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", _JOINERS.sub("", text).casefold())
    # Once more: compatibility forms such as ₨ and ™ decompose into capitals.
    return unicodedata.normalize("NFKC", _ACCENTS.sub("", text)).lower()


def _runs(words: Iterable[str]) -> Iterator[str]:
    """`words`, those of scripts without spaces apart from the letters and digits beside them."""
    for word in words:
        if _HAS_NO_SPACES.search(word):
            yield from _RUN.findall(word)
        else:
            yield word


def _indexed(run: str) -> Iterator[str]:
    if not _HAS_NO_SPACES.match(run):
        yield _encoded(run[:_MAX_WORD])
        return
    for start in range(len(run)):
        yield _encoded(run[start : start + _GRAM])


def _searched(run: str) -> Iterator[str]:
    if not _HAS_NO_SPACES.match(run):
        yield _encoded(run[:_MAX_WORD])
        return
    for start in range(max(1, len(run) - _GRAM + 1)):
        yield _encoded(run[start : start + _GRAM])


def _encoded(word: str) -> str:
    """`word` as letters and digits of ASCII; a beginning of `word` becomes a beginning of it."""
    if word.isascii():
        return word
    return "".join(
        character if character.isascii() else f"{ord(character):05x}".translate(_LETTERS)
        for character in word
    )
