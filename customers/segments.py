"""Which segment and which stage does a customer belong to? Pure rules.

lead: never booked. vip: 10 or more appointments that were not cancelled. active: booked or came
within 6 months. inactive: nothing for 6 months.
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
    now: datetime,
) -> Segment:
    """The segment by the figures alone."""
    if total_appointments >= VIP_APPOINTMENTS:
        return Segment.VIP
    seen = [instant for instant in (last_booked_at, last_visit_at) if instant is not None]
    if not seen:
        return Segment.LEAD
    return Segment.ACTIVE if max(seen) >= active_since(now) else Segment.INACTIVE


def active_since(now: datetime) -> datetime:
    """Six calendar months before `now`; from 31 August, the last of February."""
    months = now.year * 12 + now.month - 1 - ACTIVE_MONTHS
    year, month = months // 12, months % 12 + 1
    day = min(now.day, calendar.monthrange(year, month)[1])
    return now.replace(year=year, month=month, day=day)


def stage_after(stage: str, *, booked: bool, completed: bool) -> str:
    """Where the pipeline stands after a booking, a completed visit, or neither."""
    if completed:
        return PipelineStage.CONVERTED
    if booked and stage in (PipelineStage.NEW_LEAD, PipelineStage.CONTACTED):
        return PipelineStage.APPOINTMENT_SET
    return stage
