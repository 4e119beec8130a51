"""How is a call told what was done to an appointment in it, without appointments knowing calls?

`calls` stands above appointments and registers its side here when Django starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from kaivox.businesses.models import Business
from kaivox.errors import Invalid

if TYPE_CHECKING:
    from appointments.models import Appointment


Deed = Literal["booked", "rescheduled", "cancelled"]


class CallLink(Protocol):
    def exists(self, *, business: Business, call_id: int) -> bool:
        """Whether `business` has this call."""

    def happened(self, deed: Deed, *, appointment: Appointment, call_id: int) -> None:
        """Told in the transaction of what was done to `appointment` in this call."""


class _NoCalls:
    """While nobody has registered there are no calls."""

    def exists(self, *, business: Business, call_id: int) -> bool:
        return False

    def happened(self, deed: Deed, *, appointment: Appointment, call_id: int) -> None:
        raise LookupError("No link to calls is registered.")


_link: CallLink = _NoCalls()


def register_call_link(link: CallLink) -> None:
    """Called once, by the app config of calls."""
    global _link
    _link = link


def refuse_unknown_call(business: Business, call_id: int | None) -> None:
    """Raises Invalid where `business` has no such call. None names no call."""
    if call_id is not None and not _link.exists(business=business, call_id=call_id):
        raise Invalid(errors={"call_id": ["There is no call with this id."]})


def tell_call(deed: Deed, appointment: Appointment, call_id: int | None) -> None:
    """What was done to `appointment` in this call, if in any. Within the transaction that did it."""
    if call_id is not None:
        _link.happened(deed, appointment=appointment, call_id=call_id)
