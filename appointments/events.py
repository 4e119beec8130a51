"""What do receivers of webhooks hear of appointments? One function per event, called in the
transaction of the change."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from appointments.models import Appointment, Status
from appointments.serializers import AppointmentSerializer
from kaivox.api.fields import format_instant
from webhooks.operations import record_event

_ENDS: Final = {
    Status.COMPLETED: "appointment.completed",
    Status.CANCELLED: "appointment.cancelled",
    Status.NO_SHOW: "appointment.no_show",
}


def tell_booked(appointment: Appointment, *, now: datetime) -> None:
    _tell("appointment.booked", appointment, now)


def tell_rescheduled(
    appointment: Appointment, *, previous_start: datetime, previous_staff_id: int, now: datetime
) -> None:
    _tell(
        "appointment.rescheduled",
        appointment,
        now,
        previous_start_time=format_instant(previous_start),
        previous_staff_id=previous_staff_id,
    )


def tell_ended(appointment: Appointment, *, now: datetime) -> None:
    """Completed, cancelled or not shown up, by its status."""
    _tell(_ENDS[Status(appointment.status)], appointment, now)


def _tell(type: str, appointment: Appointment, now: datetime, **more: str | int) -> None:
    data = AppointmentSerializer.render(appointment) | more
    record_event(business=appointment.business, type=type, data=data, now=now)
