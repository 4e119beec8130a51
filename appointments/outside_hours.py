"""Which standing appointments fall outside their people's hours by now?

An emergency closure, time off or changed hours leave appointments as they are: somebody has to call
those customers. This finds them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from appointments.availability import (
    FOREVER,
    Reason,
    Starts,
    Terms,
    refusal_at,
    starts_of,
)
from appointments.models import Appointment, Status
from appointments.roster import Roster
from kaivox.businesses.models import Business

LOOK_AHEAD: Final = timedelta(days=90)


def outside_hours(
    business: Business, *, now: datetime, look_ahead: timedelta = LOOK_AHEAD
) -> dict[int, Reason]:
    """Id → why, of the appointments from `now` on that could not be booked today: `closed`,
    `holiday`, `time_off`. Four queries, however many appointments there are."""
    rows = list(
        Appointment.objects.for_business(business)
        .filter(status=Status.SCHEDULED)
        .starting(now, now + look_ahead)
        .values_list("pk", "staff_id", "start_time", "duration_minutes")
    )
    if not rows:
        return {}
    first, last = (moment.astimezone(business.zone).date() for moment in (now, now + look_ahead))
    roster = Roster(business, sorted({row[1] for row in rows}), first, last)
    agendas = roster.agendas(first, last, _lasting(0))
    for agenda in agendas.values():
        agenda.busy = agenda.full = ()  # they do not stand in their own way
    starts: dict[tuple[int, int], Starts] = {}
    found = {}
    for pk, staff_id, start_time, minutes in rows:
        key = staff_id, minutes
        if key not in starts:
            starts[key] = starts_of(agendas[staff_id], _lasting(minutes), (0, FOREVER))
        reason = refusal_at(starts[key], _lasting(minutes), int(start_time.timestamp()))
        if reason is not None:
            found[pk] = reason
    return found


def _lasting(minutes: int) -> Terms:
    """Terms of an appointment that has been agreed: no notice, no horizon, no buffers."""
    return Terms(minutes * 60, 0, 0, interval=60, now=0, earliest=0)
