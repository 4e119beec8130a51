"""Tells of a key that turned up somewhere — a log, a repository, a mail — whether it is ours."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone

from kaivox.businesses import keys
from kaivox.businesses.key_cache import look_up
from kaivox.businesses.models import ApiKey

_LOOKS_LIKE_A_KEY: Final = re.compile(r"kv_(?:live|test)_[0-9A-Za-z]+")


class Command(BaseCommand):
    help = (
        "Read text from standard input and tell of each KaiVox key in it whether it is well-formed, "
        "valid, and whose. The keys themselves are not printed. Exit status 1: none is valid."
    )

    def handle(self, **options: Any) -> None:
        found = list(dict.fromkeys(_LOOKS_LIKE_A_KEY.findall(sys.stdin.read())))
        if not found:
            self.stdout.write("No KaiVox key in the text.")
            sys.exit(1)
        now = timezone.now()
        valid = [self._tell(secret, now) for secret in found]
        if not any(valid):
            sys.exit(1)

    def _tell(self, secret: str, now: datetime) -> bool:
        shown = f"{secret[: keys.PREFIX_LENGTH]}…"
        if not keys.is_well_formed(secret):
            self.stdout.write(f"{shown}: malformed, no key of ours.")
            return False
        key = look_up(secret[: keys.PREFIX_LENGTH], keys.digest_of(secret))
        if key is None:
            self.stdout.write(f"{shown}: well-formed, but unknown here.")
            return False
        state = _state(key, now)
        used = f"{key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never"
        self.stdout.write(
            f"{shown}{key.last_four}: {state}; “{key.name}” of {key.business} "
            f"({key.business.slug}); scopes {', '.join(key.scopes)}; last used {used}."
        )
        return state == "valid"


def _state(key: ApiKey, now: datetime) -> str:
    if key.is_revoked(now):
        return "revoked"
    if key.is_expired(now):
        return "expired"
    return "suspended business" if key.business.is_suspended else "valid"
