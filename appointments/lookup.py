"""Reads one appointment of a business with its related rows, and locks it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from appointments.models import Appointment
from kaivox.businesses.models import Business
from kaivox.db.compiled_query import CompiledQuery
from kaivox.errors import NotFound, PreconditionFailed


def _one(business_id: int, appointment_id: int) -> Any:
    return Appointment.objects.for_business(business_id).with_related().filter(pk=appointment_id)


_ONE: Final = CompiledQuery(_one)
_ONE_LOCKED: Final = CompiledQuery(
    lambda **values: _one(**values).select_for_update(no_key=True, of=("self",))
)


def get_appointment(
    business: Business, appointment_id: int, expected: datetime | None
) -> Appointment:
    """Raises NotFound, and PreconditionFailed where its `updated_at` is not `expected`."""
    return _read(_ONE, business, appointment_id, expected)


def lock_appointment(
    business: Business, appointment_id: int, expected: datetime | None
) -> Appointment:
    """The appointment, locked until the transaction ends. Raises as `get_appointment`."""
    try:
        return _read(_ONE_LOCKED, business, appointment_id, expected)
    except NotFound:
        # A transaction that PostgreSQL waited for gave it another member of staff or service: the
        # row is locked now, but the statement joins what it showed before. The next one sees it.
        return _read(_ONE_LOCKED, business, appointment_id, expected)


def _read(
    query: CompiledQuery, business: Business, appointment_id: int, expected: datetime | None
) -> Appointment:
    appointment: Appointment | None = query.first(
        business_id=business.pk, appointment_id=appointment_id
    )
    if appointment is None:
        raise NotFound
    if expected is not None and appointment.updated_at != expected:
        raise PreconditionFailed
    return appointment
