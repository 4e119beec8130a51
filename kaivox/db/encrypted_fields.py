"""Encryption at rest of secrets that must be readable again: webhook secrets, provider credentials.

They are stored as Fernet tokens under a key that HKDF (RFC 5869) derives from `SECRET_KEY`. What an older key of
`SECRET_KEY_FALLBACKS` wrote stays readable; saving writes it with the newest. What need only be
compared, such as an API key, is hashed instead: see `kaivox.businesses.auth.key_format`.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

from kaivox.errors import Unavailable

_PURPOSE = b"kaivox secrets at rest, 1"


class DecryptionError(Unavailable):
    """A stored secret was encrypted with a SECRET_KEY that the settings no longer name. An operator
    can add that key, so to callers it is an outage (503) and not their error."""

    message = (
        "A stored secret was encrypted with another SECRET_KEY. Add that key to "
        "SECRET_KEY_FALLBACKS, or set the secret again."
    )

    def __init__(self) -> None:
        super().__init__(retry_after=60)


class UndecryptableValue:
    """Value of an encrypted field whose token cannot be decrypted.

    The object can still be loaded, listed and get a new secret; any use of this value raises
    DecryptionError.
    """

    def __str__(self) -> str:
        raise DecryptionError

    def __getattr__(self, name: str) -> Any:
        raise DecryptionError


def encrypt(text: str) -> str:
    """`text` as an ASCII token; encrypting the same text twice gives two different tokens."""
    return _keys().encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """The text of a token. Raises DecryptionError."""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise DecryptionError from error


def readable(value: str | UndecryptableValue) -> str:
    """`value` of an encrypted field. Raises DecryptionError."""
    if isinstance(value, UndecryptableValue):
        raise DecryptionError
    return value


def is_newest(token: str) -> bool:
    """Whether `token` was made with SECRET_KEY itself, and not with a fallback."""
    try:
        _derived(settings.SECRET_KEY).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def reencrypt(token: str) -> str:
    """The text of `token` as a token of SECRET_KEY. Raises DecryptionError."""
    return encrypt(decrypt(token))


if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """Text that is encrypted in the database and plain on the object. It cannot be searched."""

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(str(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None:
            return None
        try:
            return decrypt(value)
        except DecryptionError:
            return UndecryptableValue()

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise TypeError(f"{self.name} is encrypted: no query can compare it.")
        return super().get_lookup(lookup_name)


def _keys() -> MultiFernet:
    return _derived(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=8)
def _derived(*secret_keys: str) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in secret_keys])


def _derive(secret_key: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
    return base64.urlsafe_b64encode(derivation.derive(secret_key.encode()))
