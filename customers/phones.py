"""A phone number as people write it → E.164 (ITU-T E.164: `+`, country code, number, ≤ 15 digits)."""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

MAX_LENGTH: Final = 40


def to_e164(text: str, *, country: str) -> str:
    """`text`, read in `country` (ISO 3166) where it has no country code, as E.164.

    Raises ValueError with a sentence for a person.
    """
    if any(character.isalpha() for character in text):
        raise ValueError("A phone number has no letters.")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"A phone number has at most {MAX_LENGTH} characters.")
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError("This is not a phone number.") from error
    # Not is_valid_number: it knows only ranges in use today, and refuses +1 555….
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != ValidationResult.IS_POSSIBLE:
        raise ValueError(_COMPLAINTS.get(reason, "This is not a phone number."))
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


_COMPLAINTS: Final = {
    ValidationResult.TOO_SHORT: "This phone number is too short.",
    ValidationResult.TOO_LONG: "This phone number is too long.",
    ValidationResult.INVALID_LENGTH: "This phone number has a wrong number of digits.",
    ValidationResult.INVALID_COUNTRY_CODE: "This phone number has an unknown country code.",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "This phone number lacks its area code.",
}
