"""Secret addresses of calendar feeds: created, found and deleted."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Final

from kaivox.businesses.audit import Actor, record_audit
from kaivox.db.transactions import atomic_write
from staff.models import CalendarFeed, StaffMember

_BYTES: Final = 24  # 192 random bits, which cannot be guessed


@atomic_write
def open_feed(*, staff: StaffMember, now: datetime, actor: Actor = None) -> str:
    """Creates an address and returns its token. Only its hash is stored."""
    token = secrets.token_urlsafe(_BYTES)
    feed = CalendarFeed.objects.create(
        business_id=staff.business_id, staff=staff, digest=_digest(token), last_four=token[-4:]
    )
    _audit(feed, actor, "calendar_address.added", now)
    return token


@atomic_write
def close_feed(*, feed: CalendarFeed, now: datetime, actor: Actor = None) -> None:
    """Deletes an address."""
    _audit(feed, actor, "calendar_address.deleted", now)
    feed.delete()


def find_feed(token: str) -> CalendarFeed | None:
    """The feed with this token, with `staff` and `business` loaded. None where there is none, the member
    of staff is inactive or the business is suspended."""
    feeds = CalendarFeed.objects.select_related("staff", "business")
    return feeds.filter(
        digest=_digest(token), business__suspended_at=None, staff__is_active=True
    ).first()


def _audit(feed: CalendarFeed, actor: Actor, action: str, now: datetime) -> None:
    record_audit(
        business=feed.business,
        actor=actor,
        action=action,
        subject=f"{feed} of {feed.staff}",
        about=feed.staff,
        now=now,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
