"""Parses phone numbers as people write them into E.164 (ITU-T: `+`, country code, ≤ 15 digits)."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult

MAX_LENGTH: Final = 40
MAX_DIGITS: Final = 15

_SCHEME = re.compile(r"\s*(?:tel|callto|sms|whatsapp):(?://)?", re.IGNORECASE)
# RFC 3966 parameters, dialler pauses, and the usual separators of an extension.
_EXTENSION = re.compile(r"\d[\s.]*(?:ext|x|#|;|,|~|\*|p|w)|[#;~*]", re.IGNORECASE)
_MEXICO, _ARGENTINA = 52, 54


def to_e164(text: str, *, country: str) -> str:
    """`text` as E.164, in `country` (ISO 3166) where it has no country code.

    Raises ValueError whose message can be shown to the user.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"A phone number has at most {MAX_LENGTH} characters.")
    text = _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text
    if _EXTENSION.search(text):
        raise ValueError("Write the phone number without its extension.")
    if any(character.isalpha() for character in text):
        raise ValueError("A phone number has digits only.")
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError("This is not a phone number.") from error
    if number.extension:
        raise ValueError("Write the phone number without its extension.")
    _drop_mobile_prefix(number)
    # Not is_valid_number: it accepts only ranges in use today, and so rejects +1 555….
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != ValidationResult.IS_POSSIBLE:
        raise ValueError(_COMPLAINTS.get(reason, "This is not a phone number."))
    if _is_placeholder(text, number):
        raise ValueError("This is a placeholder, not a phone number.")
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(e164) > MAX_DIGITS + 1:
        raise ValueError(_COMPLAINTS[ValidationResult.TOO_LONG])
    return e164


def _is_placeholder(text: str, number: PhoneNumber) -> bool:
    """`0000000000`, `1111111111`, `+91 0000000000`."""
    written = {character for character in text if character.isdigit()}
    return len(written) == 1 or set(phonenumbers.national_significant_number(number)) == {"0"}


def _drop_mobile_prefix(number: PhoneNumber) -> None:
    """Removes the prefix dialled before some mobile numbers: the 1 that Mexico abolished in 2019, and
    Argentina's 9. Both spellings of a number then belong to one customer."""
    national = phonenumbers.national_significant_number(number)
    prefix = {_MEXICO: "1", _ARGENTINA: "9"}.get(number.country_code or 0)
    if prefix and len(national) == 11 and national.startswith(prefix):
        number.national_number = int(national[1:])


_COMPLAINTS: Final = {
    ValidationResult.TOO_SHORT: "This phone number is too short.",
    ValidationResult.TOO_LONG: "This phone number is too long.",
    ValidationResult.INVALID_LENGTH: "This phone number has a wrong number of digits.",
    ValidationResult.INVALID_COUNTRY_CODE: "This phone number has an unknown country code.",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "This phone number lacks its area code.",
}
