"""The allowed changes of an appointment's status and confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from appointments.models import Appointment, AppointmentStatus
from kaivox.errors import Conflict


class InvalidTransition(Conflict):
    code = "invalid_transition"
    message = "An appointment with this status cannot change to the one requested."


_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    AppointmentStatus.SCHEDULED: frozenset(
        {AppointmentStatus.COMPLETED, AppointmentStatus.CANCELLED, AppointmentStatus.NO_SHOW}
    ),
    AppointmentStatus.COMPLETED: frozenset({AppointmentStatus.NO_SHOW}),
    AppointmentStatus.NO_SHOW: frozenset({AppointmentStatus.COMPLETED}),
    AppointmentStatus.CANCELLED: frozenset(),
}


def check_transition(appointment: Appointment, status: str, *, now: datetime) -> None:
    """Raises InvalidTransition unless `appointment` may get `status` at `now`: completed and no_show
    only once it has begun."""
    if status not in _TRANSITIONS[appointment.status]:
        raise InvalidTransition(f"It is {appointment.status} and cannot become {status}.")
    if status != AppointmentStatus.CANCELLED and appointment.start_time > now:
        raise InvalidTransition(f"It has not begun yet and cannot be {status}.")


def check_confirmation(appointment: Appointment, confirmation: str) -> None:
    """Raises InvalidTransition unless `appointment` has `confirmation` or may get it."""
    if confirmation != appointment.confirmation and appointment.status != (
        AppointmentStatus.SCHEDULED
    ):
        message = f"It is {appointment.status}; only a scheduled appointment can be confirmed."
        raise InvalidTransition(message)
