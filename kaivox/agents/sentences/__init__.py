"""All sentences that agents read aloud, by language. A translation is one module like `english`."""

from typing import Final

from kaivox.agents.sentences.english import ENGLISH
from kaivox.agents.sentences.language import Language
from kaivox.agents.sentences.spanish import SPANISH

LANGUAGES: Final = {language.code: language for language in (ENGLISH, SPANISH)}


def find_language(tag: str) -> Language:
    """The language of a tag such as `es` or `es-MX`; English where there is none of it."""
    return LANGUAGES.get(tag.strip().lower().replace("_", "-").partition("-")[0], ENGLISH)


__all__ = ["ENGLISH", "LANGUAGES", "SPANISH", "Language", "find_language"]
