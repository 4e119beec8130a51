"""The form of an API key, and nothing else: `kv_live_` or `kv_test_`, 32 base62 characters of
chance (190 bits), 6 base62 characters of CRC32 over all before them.

The checksum lets a secret scanner tell a real key from chance text without asking us, and lets us
refuse most wrong keys without a look-up; the idea is GitHub's (github.blog, 2021-04-05). SHA-256 is
enough at rest: with 190 bits there is nothing to guess, so a slow hash would only cost time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

LIVE: Final = "kv_live_"
SANDBOX: Final = "kv_test_"
BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
PATTERN: Final = re.compile(r"kv_(?:live|test)_[0-9A-Za-z]{38}")

# So much of a key is stored in the clear, to find it by and to tell it from others.
PREFIX_LENGTH: Final = 16

_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6


def make_key(*, livemode: bool) -> str:
    """A new key in the clear. It is shown once; keep only `digest_of` it."""
    body = (LIVE if livemode else SANDBOX) + "".join(
        secrets.choice(BASE62) for _ in range(_RANDOM_LENGTH)
    )
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether `key` has the form and its checksum is right. Says nothing about being known."""
    return (
        PATTERN.fullmatch(key) is not None
        and _checksum(key[:-_CHECKSUM_LENGTH]) == key[-_CHECKSUM_LENGTH:]
    )


def digest_of(key: str) -> str:
    """SHA-256 of the key, in hex: what is stored and looked up."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits
