"""Secrets that we must be able to read again (webhook secrets, provider credentials): how do they
lie in the database?

As Fernet tokens under a key that HKDF (RFC 5869) derives from `SECRET_KEY`. What an older key of
`SECRET_KEY_FALLBACKS` wrote stays readable; saving writes it with the newest. What need only be
compared, such as an API key, is hashed instead: see `kaivox.businesses.keys`.
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

_PURPOSE = b"kaivox secrets at rest, 1"


class UnreadableSecret(Exception):
    """A stored secret was written under a SECRET_KEY that the settings no longer name."""

    def __init__(self) -> None:
        super().__init__(
            "A secret in the database was written under another SECRET_KEY. "
            "Add that key to SECRET_KEY_FALLBACKS, or make a new secret."
        )


class Unreadable:
    """Stands on an object for a secret that cannot be read. The object can be loaded, listed and
    given a new secret; whatever uses this one raises UnreadableSecret."""

    def __str__(self) -> str:
        raise UnreadableSecret

    def __getattr__(self, name: str) -> Any:
        raise UnreadableSecret


def encrypt(text: str) -> str:
    """`text` as a token of ASCII characters; twice the same text makes two different tokens."""
    return _keys().encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """The text of a token. Raises UnreadableSecret."""
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise UnreadableSecret from error


if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """Text that is encrypted in the database and plain on the object. Nothing can search it."""

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(str(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None:
            return None
        try:
            return decrypt(value)
        except UnreadableSecret:
            return Unreadable()

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
