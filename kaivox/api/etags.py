"""Entity tags (RFC 9110 §8.8.3): made from an encoded representation, and read from conditions."""

from __future__ import annotations

import hashlib
import re
from typing import Final

# What compressing proxies change in a tag of ours: `W/` in front (nginx), a suffix (Apache, Caddy).
_OF_PROXIES: Final = re.compile(r'^W/|-(?:gzip|br|zstd)(?="$)')


def make_etag(encoded: bytes) -> str:
    """A strong entity tag (RFC 9110 §8.8.3) of an encoded representation."""
    return f'"{hashlib.blake2b(encoded, digest_size=12).hexdigest()}"'


def parse_etags(header: str) -> set[str]:
    """The entity tags of `If-Match` or `If-None-Match`, without what compressing proxies change in
    them: the representation is the same."""
    return {_OF_PROXIES.sub("", tag.strip()) for tag in header.split(",")}


def names_etag(header: str, etag: str) -> bool:
    """Whether `If-None-Match` names `etag`: by weak comparison (RFC 9110 §8.8.3.2)."""
    return etag.removeprefix("W/") in parse_etags(header)
