"""How does an appointment know the call it was booked in, without knowing calls?

`calls` stands above appointments and registers its side here when Django starts.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from kaivox.businesses.models import Business

if TYPE_CHECKING:
    from appointments.models import Appointment


class CallLink(Protocol):
    def exists(self, *, business: Business, call_id: int) -> bool:
        """Whether `business` has this call."""

    def booked(self, *, appointment: Appointment, now: datetime) -> None:
        """Told in the transaction of a booking whose `call_id` is set."""


class _NoCalls:
    """While nobody has registered there are no calls."""

    def exists(self, *, business: Business, call_id: int) -> bool:
        return False

    def booked(self, *, appointment: Appointment, now: datetime) -> None:
        raise LookupError("No link to calls is registered.")


_link: CallLink = _NoCalls()


def register_call_link(link: CallLink) -> None:
    """Called once, by the app config of calls."""
    global _link
    _link = link


def call_link() -> CallLink:
    return _link
