"""Operations on calendars elsewhere whose events block a person's time: added, read soon, removed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from kaivox.businesses.audit import Actor, record_audit
from kaivox.businesses.row_rules import check_row
from kaivox.db.transactions import atomic_write
from kaivox.errors import Invalid, NotFound, PreconditionFailed
from staff.models import BusyCalendar, StaffMember
from webhooks.ssrf import BadDestination, check_url

MAX_PER_PERSON: Final = 5


def checked_address(url: str) -> str:
    """`url` as it is fetched: `webcal://` means https. Raises Invalid."""
    url = re.sub(r"^webcals?://", "https://", url.strip(), flags=re.IGNORECASE)
    try:
        return check_url(url)
    except BadDestination as error:
        raise Invalid(errors={"ics_url": [str(error)]}) from error


@atomic_write
def add_busy_calendar(
    *, staff: StaffMember, ics_url: str, name: str = "", now: datetime, actor: Actor = None
) -> BusyCalendar:
    """Adds a calendar; a task reads it within a minute, and then again and again.

    Raises Invalid: an address that is not allowed, or more than MAX_PER_PERSON; NotFound.
    """
    # Locks the member of staff: two requests at once do not exceed the limit.
    rows = StaffMember.objects.for_business(staff.business_id).filter(pk=staff.pk).locked()
    person = rows.select_related("business").first()
    if person is None:
        raise NotFound
    if person.busy_calendars.count() >= MAX_PER_PERSON:
        message = f"A member of staff has at most {MAX_PER_PERSON} calendars."
        raise Invalid(message, errors={"staff_id": [message]})
    calendar = BusyCalendar(
        business=person.business,
        staff=person,
        name=name,
        ics_url=ics_url,
        shown_url=masked(ics_url),
        next_poll_at=now,
    )
    check_row(calendar)
    calendar.save(force_insert=True)
    _audit(calendar, actor, "busy_calendar.added", now)
    return calendar


@atomic_write
def remove_busy_calendar(
    *, calendar: BusyCalendar, now: datetime, actor: Actor = None, expected: datetime | None = None
) -> BusyCalendar:
    """Deletes a calendar: what only its events blocked can be booked again. Returns it.

    Raises NotFound, PreconditionFailed.
    """
    rows = BusyCalendar.objects.for_business(calendar.business_id).filter(pk=calendar.pk)
    locked: BusyCalendar | None = rows.select_for_update(no_key=True).first()
    if locked is None:
        raise NotFound
    if expected is not None and locked.updated_at != expected:
        raise PreconditionFailed
    _audit(calendar, actor, "busy_calendar.removed", now)
    rows.delete()
    return calendar


@atomic_write
def read_soon(*, calendar: BusyCalendar, now: datetime) -> None:
    """Has the calendar read at the next opportunity."""
    BusyCalendar.objects.filter(pk=calendar.pk).update(next_poll_at=now)


def masked(url: str) -> str:
    """The host of `url` and its last four characters, by which two calendars differ."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…{url[-4:]}"[:300]


def _audit(calendar: BusyCalendar, actor: Actor, action: str, now: datetime) -> None:
    record_audit(
        business=calendar.business,
        actor=actor,
        action=action,
        subject=f"{calendar} of {calendar.staff}",
        about=calendar.staff,
        now=now,
    )
