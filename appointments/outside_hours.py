"""Finds scheduled appointments that are outside the working hours of their staff.

A closure, time off or changed hours leave appointments as they are. The business has to call these
customers; the admin lists them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from appointments.availability import (
    MAX_INSTANT,
    BookableStarts,
    BookingRules,
    UnavailabilityReason,
    reason_at,
    starts_of,
)
from appointments.availability_queries import AvailabilityLoader
from appointments.models import Appointment, AppointmentStatus
from kaivox.businesses.models import Business

LOOK_AHEAD: Final = timedelta(days=90)


def outside_hours(
    business: Business, *, now: datetime, look_ahead: timedelta = LOOK_AHEAD
) -> dict[int, UnavailabilityReason]:
    """By id, the reason why an appointment after `now` is outside hours: `closed`, `holiday` or
    `time_off`. Four queries, whatever the number of appointments."""
    rows = list(
        Appointment.objects.for_business(business)
        .filter(status=AppointmentStatus.SCHEDULED, staff__isnull=False)
        .starting_between(now, now + look_ahead)
        .values_list("pk", "staff_id", "start_time", "duration_minutes")
    )
    if not rows:
        return {}
    first, last = (moment.astimezone(business.zone).date() for moment in (now, now + look_ahead))
    loader = AvailabilityLoader(business, sorted({row[1] for row in rows}), first, last)
    calendars = loader.calendars(first, last, _lasting(0))
    for calendar in calendars.values():
        calendar.busy = calendar.full = ()  # or each appointment would block itself
    starts: dict[tuple[int, int], BookableStarts] = {}
    found = {}
    for pk, staff_id, start_time, minutes in rows:
        key = staff_id, minutes
        if key not in starts:
            starts[key] = starts_of(calendars[staff_id], _lasting(minutes), (0, MAX_INSTANT))
        reason = reason_at(starts[key], _lasting(minutes), int(start_time.timestamp()))
        if reason is not None:
            found[pk] = reason
    return found


def _lasting(minutes: int) -> BookingRules:
    """The rules for an appointment that is booked already: no notice, no horizon, no buffers."""
    return BookingRules(minutes * 60, 0, 0, interval=60, now=0, earliest=0)
