"""Links between appointments and the calls in which they were made, moved or cancelled.

`calls` is a higher layer than `appointments`, so it registers its implementation of `CallLog` here
when Django starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

from kaivox.businesses.models import Business
from kaivox.errors import Invalid
from kaivox.registry import Registry

if TYPE_CHECKING:
    from appointments.models import Appointment


AppointmentAction = Literal["booked", "rescheduled", "cancelled"]


# An int is the call's id in this API; a str is the id that the voice provider gave it, also of a call
# that has not been reported yet.
CallReference = int | str


class CallLog(Protocol):
    """What appointments need of calls."""

    def exists(self, *, business: Business, call_id: int) -> bool:
        """Whether `business` has this call."""

    def record_action(
        self, action: AppointmentAction, *, appointment: Appointment, call: CallReference
    ) -> None:
        """Called in the transaction that changed `appointment` in this call. Sets the appointment's
        `call_id` where it was booked in a call known by its provider's id."""


call_log: Final[Registry[CallLog]] = Registry("the log of phone calls")


def reject_unknown_call(business: Business, call: CallReference | None) -> None:
    """Raises Invalid where `business` has no call with this id. A provider's id is not checked: the
    call may be reported later."""
    if isinstance(call, int) and not call_log.only().exists(business=business, call_id=call):
        raise Invalid(errors={"call_id": ["There is no call with this id."]})


def notify_call(
    action: AppointmentAction, appointment: Appointment, call: CallReference | None
) -> None:
    """Records `action` with the call, if there is one, in the transaction of the change."""
    if call is not None:
        call_log.only().record_action(action, appointment=appointment, call=call)
