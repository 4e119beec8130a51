"""Until when an appointment can be cancelled or moved: the windows of its service.

An appointment of a service without windows can be changed at any time. People of the business in the
admin, and API keys with OVERRIDE_SCOPE, change it after the window too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from appointments.models import Appointment
from kaivox.businesses.auth.scopes import OVERRIDE_SCOPE
from kaivox.errors import Conflict


class TooLateToChange(Conflict):
    code = "too_late_to_change"
    message = "It is too late to change this appointment."


def check_cancellation(appointment: Appointment, *, now: datetime) -> None:
    """Raises TooLateToChange after the cancellation window of its service."""
    _check(appointment, appointment.service.cancellation_window_minutes, "cancelled", now)


def check_move(appointment: Appointment, *, now: datetime) -> None:
    """Raises TooLateToChange after the reschedule window of the service that it has now."""
    _check(appointment, appointment.service.reschedule_window_minutes, "moved", now)


def _check(appointment: Appointment, minutes: int | None, change: str, now: datetime) -> None:
    if minutes is None:
        return
    if now <= appointment.start_time - timedelta(minutes=minutes):
        return
    # Without its time: the caller may write appointments, but not read them.
    raise TooLateToChange(
        f"It can be {change} until {minutes} minutes before it begins, and it is later now.",
        meta={"required_scope": OVERRIDE_SCOPE},
    )
