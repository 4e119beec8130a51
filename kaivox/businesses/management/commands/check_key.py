"""`manage.py check_key`: finds API keys in a text, such as a log, and reports whether they are valid."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone

from kaivox.api.logging import API_KEY_PREFIX
from kaivox.businesses.auth import key_format
from kaivox.businesses.auth.authentication import find_api_key
from kaivox.businesses.models import ApiKey

_LOOKS_LIKE_A_KEY: Final = re.compile(rf"{API_KEY_PREFIX}[0-9A-Za-z]+")


class Command(BaseCommand):
    help = (
        "Read text from standard input and report for each KaiVox key in it whether it is "
        "well-formed, whether it is active, and whose it is. The keys themselves are not printed. Exit status 1: none is active."
    )

    def handle(self, **options: Any) -> None:
        found = list(dict.fromkeys(_LOOKS_LIKE_A_KEY.findall(sys.stdin.read())))
        if not found:
            self.stdout.write("No KaiVox key in the text.")
            sys.exit(1)
        now = timezone.now()
        active = [self._report(secret, now) for secret in found]
        if not any(active):
            sys.exit(1)

    def _report(self, secret: str, now: datetime) -> bool:
        shown = f"{secret[: key_format.PREFIX_LENGTH]}…"
        if not key_format.is_well_formed(secret):
            self.stdout.write(f"{shown}: malformed, not a KaiVox key.")
            return False
        key = find_api_key(secret)
        if key is None:
            self.stdout.write(f"{shown}: well-formed, but unknown here.")
            return False
        state = _state(key, now)
        used = f"{key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never"
        self.stdout.write(
            f"{shown}{key.last_four}: {state}; “{key.name}” of {key.business} "
            f"({key.business.slug}); scopes {', '.join(key.scopes)}; last used {used}."
        )
        return state == "active"


def _state(key: ApiKey, now: datetime) -> str:
    if key.is_revoked(now):
        return "revoked"
    if key.is_expired(now):
        return "expired"
    return "suspended business" if key.business.is_suspended else "active"
