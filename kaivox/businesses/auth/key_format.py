"""Format of API keys: `kv_live_` or `kv_test_`, 32 random base62 characters (190 bits), and 6 base62
characters of CRC32 over all before them.

The checksum lets a secret scanner recognise a key offline, and rejects most invalid keys without a
query; the format follows GitHub's tokens (github.blog, 2021-04-05). Keys are stored as plain SHA-256:
190 random bits cannot be guessed, so a slow password hash would only cost time.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

from kaivox.api.logging import API_KEY_PREFIX

LIVE: Final = "kv_live_"
SANDBOX: Final = "kv_test_"
BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
PATTERN: Final = re.compile(rf"{API_KEY_PREFIX}[0-9A-Za-z]{{38}}")

# Characters stored in clear text, to look a key up and to show which one it is.
PREFIX_LENGTH: Final = 16

_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6


def make_key(*, livemode: bool) -> str:
    """A new key in clear text. Show it once and store only its `digest_of`."""
    body = (LIVE if livemode else SANDBOX) + "".join(
        secrets.choice(BASE62) for _ in range(_RANDOM_LENGTH)
    )
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether `key` matches the format and its checksum. It may still be unknown."""
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
