"""Rules for a customer's segment and pipeline stage. Pure functions.

lead: never booked. vip: 10 or more appointments that were not cancelled. active: booked or visited
within 6 months, or an appointment ahead. inactive: everyone else.
"""

from __future__ import annotations

import calendar
from datetime import datetime
from typing import Final

from customers.models import PipelineStage, Segment

VIP_APPOINTMENTS: Final = 10
ACTIVE_MONTHS: Final = 6


def segment_of(
    *,
    total_appointments: int,
    last_booked_at: datetime | None,
    last_visit_at: datetime | None,
    last_scheduled_at: datetime | None,
    now: datetime,
) -> Segment:
    """The segment that follows from the booking statistics (`customers.operations.BookingStats`)."""
    if total_appointments >= VIP_APPOINTMENTS:
        return Segment.VIP
    seen = [instant for instant in (last_booked_at, last_visit_at) if instant is not None]
    if not seen:
        return Segment.LEAD
    is_ahead = last_scheduled_at is not None and last_scheduled_at >= now
    is_recent = max(seen) >= active_since(now)
    return Segment.ACTIVE if is_ahead or is_recent else Segment.INACTIVE


def active_since(now: datetime) -> datetime:
    """Six calendar months before `now`; 31 August gives the last day of February."""
    months = now.year * 12 + now.month - 1 - ACTIVE_MONTHS
    year, month = months // 12, months % 12 + 1
    day = min(now.day, calendar.monthrange(year, month)[1])
    return now.replace(year=year, month=month, day=day)


def stage_after(stage: str, *, booked: bool, completed: bool) -> str:
    """The pipeline stage after a booking, a completed visit, or neither."""
    if completed:
        return PipelineStage.CONVERTED
    if booked and stage in (PipelineStage.NEW_LEAD, PipelineStage.CONTACTED):
        return PipelineStage.APPOINTMENT_SET
    return stage
