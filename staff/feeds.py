"""Whose calendar does a secret address show? Addresses are given out, found and closed here."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from kaivox.businesses.write_lock import atomic_write
from staff.models import CalendarFeed, StaffMember

_BYTES: Final = 24  # 192 bits of chance: there is nothing to guess


@atomic_write
def open_feed(*, staff: StaffMember) -> str:
    """A new address's token, in the clear; it cannot be shown again."""
    token = secrets.token_urlsafe(_BYTES)
    CalendarFeed.objects.create(
        business_id=staff.business_id, staff=staff, digest=_digest(token), last_four=token[-4:]
    )
    return token


def find_feed(token: str) -> CalendarFeed | None:
    """The address with this token, its person and business loaded; None once it is closed."""
    feeds = CalendarFeed.objects.select_related("staff", "business")
    return feeds.filter(digest=_digest(token), business__suspended_at=None).first()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
