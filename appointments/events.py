"""Records the webhook events of appointments, and changes without one in the audit, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from appointments.models import Appointment, AppointmentStatus
from appointments.serializers import AppointmentSerializer
from kaivox.api.fields import format_instant
from kaivox.businesses.audit import record_audit
from webhooks.operations import record_event, record_events

_CLOSING_EVENTS: Final = {
    AppointmentStatus.COMPLETED: "appointment.completed",
    AppointmentStatus.CANCELLED: "appointment.cancelled",
    AppointmentStatus.NO_SHOW: "appointment.no_show",
}


def emit_booked(appointment: Appointment, *, now: datetime) -> None:
    _emit("appointment.booked", appointment, now)


def emit_all(type: str, appointments: Sequence[Appointment], *, now: datetime) -> None:
    """Records an event of each of `appointments`, which were changed together."""
    data = AppointmentSerializer.render_many(appointments)
    record_events(business=appointments[0].business, type=type, data=data, now=now)


def emit_all_rescheduled(
    moves: Sequence[tuple[Appointment, datetime, int | None]], *, now: datetime
) -> None:
    """Records `appointment.rescheduled` of each (appointment, previous start, previous staff id)."""
    data = [
        AppointmentSerializer.render(appointment) | _previous(start, staff_id)
        for appointment, start, staff_id in moves
    ]
    business = moves[0][0].business
    record_events(business=business, type="appointment.rescheduled", data=data, now=now)


def emit_rescheduled(
    appointment: Appointment,
    *,
    previous_start: datetime,
    previous_staff_id: int | None,
    now: datetime,
) -> None:
    _emit(
        "appointment.rescheduled",
        appointment,
        now,
        **_previous(previous_start, previous_staff_id),
    )


def emit_closed(appointment: Appointment, *, now: datetime) -> None:
    """Records the event of the appointment's new status: completed, cancelled or no_show."""
    _emit(_CLOSING_EVENTS[AppointmentStatus(appointment.status)], appointment, now)


def emit_reminder_due(appointment: Appointment, *, now: datetime) -> None:
    _emit("appointment.reminder_due", appointment, now)


def audit_details(appointment: Appointment, changed: Sequence[str]) -> None:
    """Records a change that has no event. Names of fields only: notes may be about a person."""
    record_audit(
        business=appointment.business,
        actor=None,
        action="appointment.changed",
        subject=appointment,
        changes={"fields": sorted(changed)},
        now=appointment.updated_at,
    )


def _previous(start: datetime, staff_id: int | None) -> dict[str, str | int | None]:
    return {"previous_start_time": format_instant(start), "previous_staff_id": staff_id}


def _emit(type: str, appointment: Appointment, now: datetime, **more: str | int | None) -> None:
    data = AppointmentSerializer.render(appointment) | more
    record_event(business=appointment.business, type=type, data=data, now=now)
