"""Reads the calendars of busy times that are due: fetches, computes and stores what changed.

Nothing of the network happens in a transaction. While a calendar fails, its busy times stay as they
were at the last success.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.db.models import Max, OuterRef, Subquery

from kaivox.db.clock import database_now
from kaivox.db.encrypted_fields import DecryptionError, readable
from kaivox.db.outages import OUTAGES
from kaivox.db.transactions import atomic_write
from services.models import Service
from staff.ical_text import UnreadableCalendar, essential_text
from staff.intervals import Range
from staff.local_time import LocalDays
from staff.models import BusyCalendar, CalendarBusyTime, StaffMember
from webhooks.sender import Download, download

MAX_BYTES: Final = 8 * 1024 * 1024
BATCH_SIZE: Final = 16
FETCH_SECONDS: Final = 20.0
COMPUTE_SECONDS: Final = 60.0
_FETCHERS: Final = 8
_MAX_REDIRECTS: Final = 3
# Longer than a batch takes; then another worker may read its calendars.
_LEASE: Final = timedelta(minutes=20)
_LONGEST_WAIT: Final = timedelta(hours=6)
# Of the environment of this process the child gets no secrets.
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONTZPATH", "LANG")


_LONGEST: Final = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Window:
    """The days whose busy times are stored: from yesterday to the day after the longest booking
    horizon, of the business or one of its services."""

    first: date
    last: date
    span: Range

    @property
    def end(self) -> datetime:
        return datetime.fromtimestamp(self.span[1], UTC)


def poll_due(*, seconds: float, clock: Callable[[], datetime] = database_now) -> int:
    """Reads calendars that are due until none is, or `seconds` have passed. Returns how many."""
    if not BusyCalendar.objects.due(clock()).exists():
        return 0  # most often, and without a write transaction
    until, count = time.monotonic() + seconds, 0
    with ThreadPoolExecutor(_FETCHERS, thread_name_prefix="busy-calendars") as pool:
        while time.monotonic() < until and (batch := claim_due(now=(now := clock()))):
            # The threads only fetch: none of them uses the database.
            responses = pool.map(partial(fetch_calendar, now=now), batch)
            for calendar, found in zip(batch, responses, strict=True):
                _store_alone(calendar, found, clock())
            count += len(batch)
    return count


@atomic_write
def claim_due(*, now: datetime) -> list[BusyCalendar]:
    """At most BATCH_SIZE calendars that are due, the longest waiting first, for this worker alone."""
    services = Service.objects.filter(business=OuterRef("business")).order_by()
    longest = services.values("business").annotate(days=Max("horizon_days")).values("days")
    rows = BusyCalendar.objects.due(now).annotate(service_horizon=Subquery(longest))
    rows = rows.order_by("next_poll_at", "pk").select_related("business")
    batch = list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True)[:BATCH_SIZE])
    # Not the default manager, whose `update` sets `updated_at`: nothing that is shown changes.
    claimed = BusyCalendar._base_manager.filter(pk__in=[calendar.pk for calendar in batch])
    claimed.update(next_poll_at=now + _LEASE)
    for calendar in batch:
        calendar.next_poll_at = now + _LEASE
    return batch


def store_response(*, calendar: BusyCalendar, found: Download, now: datetime) -> None:
    """Stores the busy times of what was fetched, or why there are none to store."""
    window = _window_of(calendar, now)
    if found.status == HTTPStatus.NOT_MODIFIED and calendar.covers_until is not None:
        _store(calendar, now, {})
        return
    if found.problem or found.status != HTTPStatus.OK:
        _store_failure(calendar, now, found.problem or f"It responded with status {found.status}.")
        return
    known = {
        "etag": _validator(found, "ETag"),
        "last_modified": _validator(found, "Last-Modified"),
        "covers_until": window.end,
        "computed_in": calendar.business.timezone,
    }
    try:
        text = essential_text(found.body, first=window.first, last=window.last)
        key = f"{calendar.business.timezone} {window.span} {text}"
        digest = hashlib.sha256(key.encode()).hexdigest()
        if digest == calendar.digest:
            _store(calendar, now, known)
        else:
            ranges = compute(text, calendar.business.timezone, window.span)
            _store(calendar, now, {**known, "digest": digest}, ranges)
    except UnreadableCalendar as error:
        _store_failure(calendar, now, str(error))


def _store_alone(calendar: BusyCalendar, found: Download, now: datetime) -> None:
    """`store_response`, so that a response that breaks it does not stop the others."""
    try:
        store_response(calendar=calendar, found=found, now=now)
    except OUTAGES:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the response has
        # Without its text, which may contain the address.
        logger.error("Calendar %s could not be stored: %s", calendar.pk, type(error).__name__)  # noqa: TRY400
        _store_failure(calendar, now, "Its response cannot be stored.")


def _validator(found: Download, name: str) -> str:
    """A header for conditional requests; empty where it is not one that can be sent back."""
    value = found.headers.get(name, "")
    return value if value.isascii() and value.isprintable() and len(value) <= _LONGEST else ""


def compute(text: str, zone: str, span: Range) -> list[Range]:
    """`staff.busy_times` in a process of its own, whose time is limited. Raises UnreadableCalendar."""
    request = json.dumps({"text": text, "zone": zone, "span": span})
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "staff.busy_times"],
            input=request.encode(),
            capture_output=True,
            timeout=COMPUTE_SECONDS,
            cwd=settings.BASE_DIR,
            env=environment,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise UnreadableCalendar("Its rules have too many instances to compute.") from error
    result = json.loads(done.stdout)
    if "problem" in result:
        raise UnreadableCalendar(result["problem"])
    return [(start, end) for start, end in result["ranges"]]


def _window_of(calendar: BusyCalendar, now: datetime) -> _Window:
    days = LocalDays(calendar.business.zone)
    today = days.day_of(int(now.timestamp()))
    first = today - timedelta(days=1)
    horizon = max(calendar.business.horizon_days, calendar.service_horizon or 0)
    last = today + timedelta(days=horizon + 1)
    return _Window(first, last, days.range_of(first, last))


def fetch_calendar(calendar: BusyCalendar, *, now: datetime) -> Download:
    """The response of the calendar's address, or that nothing has changed. Uses no database."""
    try:
        url = readable(calendar.ics_url)
    except DecryptionError as error:
        return Download(problem=str(error.message))
    headers = {"Accept": "text/calendar, text/plain;q=0.9, */*;q=0.1"}
    # Once a day the window moves past what is known, and the whole calendar is needed again. So it is in
    # another time zone, even one with the same offset at the window's end.
    window_end = _window_of(calendar, now).end
    if (calendar.covers_until, calendar.computed_in) == (window_end, calendar.business.timezone):
        if calendar.etag:
            headers["If-None-Match"] = calendar.etag
        if calendar.last_modified:
            headers["If-Modified-Since"] = calendar.last_modified
    return download(
        url,
        headers,
        seconds=FETCH_SECONDS,
        max_bytes=MAX_BYTES,
        max_redirects=_MAX_REDIRECTS,
    )


@atomic_write
def _store(
    calendar: BusyCalendar,
    now: datetime,
    values: dict[str, object],
    ranges: list[Range] | None = None,
) -> None:
    if ranges is not None:
        # Locks the member of staff: bookings wait until the new busy times are committed.
        list(StaffMember.objects.filter(pk=calendar.staff_id).locked().values_list("pk"))
        if not _lock(calendar):
            return
        _replace(calendar, ranges)
        values = {**values, "busy_count": len(ranges)}
    elif not _lock(calendar):
        return
    BusyCalendar.objects.filter(pk=calendar.pk).update(
        **values,
        last_read_at=now,
        failing_since=None,
        problem="",
        failure_count=0,
        next_poll_at=now + _spread(timedelta(seconds=settings.BUSY_CALENDAR_SECONDS)),
    )


@atomic_write
def _store_failure(calendar: BusyCalendar, now: datetime, problem: str) -> None:
    if not _lock(calendar):
        return
    step = timedelta(seconds=settings.BUSY_CALENDAR_SECONDS)
    wait = min(step * 2 ** min(calendar.failure_count, 10), max(step, _LONGEST_WAIT))
    BusyCalendar.objects.filter(pk=calendar.pk).update(
        failing_since=calendar.failing_since or now,
        problem=problem[:200],
        failure_count=calendar.failure_count + 1,
        next_poll_at=now + _spread(wait),
    )


def _lock(calendar: BusyCalendar) -> bool:
    """Locks the row. False where it was deleted, or another worker has claimed it since."""
    rows = BusyCalendar.objects.filter(pk=calendar.pk, next_poll_at=calendar.next_poll_at)
    return bool(rows.select_for_update(no_key=True).values_list("pk"))


def _replace(calendar: BusyCalendar, ranges: list[Range]) -> None:
    """Rows that stay the same are not written again."""
    wanted = {
        (datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        for start, end in ranges
    }
    stored = {
        (start, end): pk
        for pk, start, end in calendar.busy_times.values_list("pk", "start_time", "end_time")
    }
    gone = [pk for times, pk in stored.items() if times not in wanted]
    for first in range(0, len(gone), 1_000):
        CalendarBusyTime.objects.filter(pk__in=gone[first : first + 1_000]).delete()
    CalendarBusyTime.objects.bulk_create(
        (
            CalendarBusyTime(
                business_id=calendar.business_id,
                calendar=calendar,
                staff_id=calendar.staff_id,
                start_time=start,
                end_time=end,
            )
            for start, end in sorted(wanted - stored.keys())
        ),
        batch_size=1_000,
    )


def _spread(wait: timedelta) -> timedelta:
    """`wait`, up to a tenth longer or shorter: calendars added together are not read together."""
    return wait * random.uniform(0.9, 1.1)  # noqa: S311 - not a secret
