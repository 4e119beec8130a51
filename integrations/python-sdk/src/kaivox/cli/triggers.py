"""Makes events happen: by the same calls of the API that cause them in a sandbox."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal

from kaivox import NOT_GIVEN, KaiVox, KaiVoxError
from kaivox.models import Appointment, Customer

_EMAIL: Final = "trigger@kaivox.example"
_DAYS_TO_MOVE: Final = 14


def cause(kaivox: KaiVox, event_type: str) -> str:
    """Changes data of a sandbox so that the event happens; what was done, as a sentence.

    Raises KaiVoxError with a key of live data, and for types that no call of the API causes.
    """
    if kaivox.livemode:
        raise KaiVoxError(
            "This would change live data. Use a key of a sandbox (--sandbox), or send an example: "
            "--forward-to URL, or --webhook ID."
        )
    if event_type not in _CAUSES:
        raise KaiVoxError(
            f"No call of the API causes {event_type}; these can be caused: {', '.join(_CAUSES)}. "
            "Send an example of it: --forward-to URL, or --webhook ID."
        )
    return _CAUSES[event_type](kaivox)


def example(kaivox: KaiVox, event_type: str) -> dict[str, Any]:
    """A test event with the example of the API's documentation. Raises KaiVoxError."""
    kinds = {kind.name: kind for kind in kaivox.webhooks.event_types()}
    if event_type not in kinds:
        raise KaiVoxError(f"There is no event {event_type}. Choose from: {', '.join(kinds)}.")
    return {
        "id": f"evt_{secrets.token_hex(13).upper()}",
        "type": event_type,
        "created_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "business_id": kaivox.business.get().id,
        "livemode": kaivox.livemode,
        "test": True,
        "api_version": "v1",
        "data": kinds[event_type].example,
    }


def _customer(kaivox: KaiVox) -> Customer:
    return kaivox.customers.create(name="KaiVox trigger", email=_EMAIL, on_existing="return")


def _book(kaivox: KaiVox) -> Appointment:
    for service in kaivox.services.list():
        slots = kaivox.slots.list(service_id=service.id, limit=1)
        slot = slots[0] if slots else slots.meta.next_available
        if slot is not None:
            return kaivox.appointments.create(
                customer_id=_customer(kaivox).id, service_id=service.id, start_time=slot.start_time
            )
    raise KaiVoxError("No service of this sandbox has a free time.")


def _booked(kaivox: KaiVox) -> str:
    return f"Booked {_named(_book(kaivox))}."


def _rescheduled(kaivox: KaiVox) -> str:
    booked = _book(kaivox)
    slots = kaivox.slots.list(
        service_id=booked.service_id,
        staff_id=NOT_GIVEN if booked.staff_id is None else booked.staff_id,
        date_from=booked.appointment_date,
        date_to=booked.appointment_date + timedelta(days=_DAYS_TO_MOVE),
        exclude_appointment_id=booked.id,
    )
    later = next((slot for slot in slots if slot.start_time > booked.start_time), None)
    if later is None:
        raise KaiVoxError(f"Booked {_named(booked)}, but no later time is free to move it to.")
    return f"Moved {_named(kaivox.appointments.update(booked.id, start_time=later.start_time))}."


def _cancelled(kaivox: KaiVox) -> str:
    return f"Cancelled {_named(kaivox.appointments.cancel(_book(kaivox).id, reason='Trigger'))}."


def _ended(kaivox: KaiVox, status: Literal["completed", "no_show"]) -> str:
    now = datetime.now(timezone.utc)
    started = kaivox.appointments.list(status="scheduled", ordering="start_time").first()
    if started is None or started.start_time > now:
        raise KaiVoxError(
            "Only an appointment that has started can end, and this sandbox has none that is "
            "scheduled. Send an example: --forward-to URL, or --webhook ID."
        )
    ended = kaivox.appointments.set_status(started.id, status=status)
    return f"Set {_named(ended)} to {status}."


def _created(kaivox: KaiVox) -> str:
    email = f"trigger-{secrets.token_hex(4)}@kaivox.example"
    return f"Created customer {kaivox.customers.create(name='KaiVox trigger', email=email).id}."


def _updated(kaivox: KaiVox) -> str:
    customer = _customer(kaivox)
    kaivox.customers.update(customer.id, notes=f"Trigger {secrets.token_hex(4)}")
    return f"Updated customer {customer.id}."


def _named(appointment: Appointment) -> str:
    return f"appointment {appointment.id}, {appointment.start_time:%Y-%m-%d %H:%M} UTC"


_CAUSES: Final[Mapping[str, Callable[[KaiVox], str]]] = {
    "appointment.booked": _booked,
    "appointment.rescheduled": _rescheduled,
    "appointment.cancelled": _cancelled,
    "appointment.completed": lambda kaivox: _ended(kaivox, "completed"),
    "appointment.no_show": lambda kaivox: _ended(kaivox, "no_show"),
    "customer.created": _created,
    "customer.updated": _updated,
}
