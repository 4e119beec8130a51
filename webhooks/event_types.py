"""Event types: name, meaning, example and the scope that reading them needs.

The examples are whole `data` objects in the shape of the API. The OpenAPI document, `GET
/webhooks/event-types`, the developers' page and test events show the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ALL_EVENTS: Final = "*"


@dataclass(frozen=True, slots=True)
class EventType:
    """`example` is the `data` of such an event."""

    name: str
    meaning: str
    example: Mapping[str, Any]

    @property
    def read_scope(self) -> str:
        """The scope that is needed to read such an event: `appointments:read`."""
        resource = self.name.partition(".")[0]
        return _READ_SCOPES.get(resource, f"{resource}s:read")


# Of resources whose scope is not their plural.
_READ_SCOPES: Final[Mapping[str, str]] = {
    "staff": "staff:read",
    "closure": "staff:read",
    "resource": "services:read",
    "waitlist": "appointments:read",
}


_APPOINTMENT: Final[dict[str, Any]] = {
    "id": 4812,
    "customer_id": 391,
    "customer_name": "Asha Rao",
    "service_id": 12,
    "service": "Dental cleaning",
    "staff_id": 5,
    "staff_name": "Dr. Meera Nair",
    "start_time": "2026-03-02T04:30:00Z",
    "end_time": "2026-03-02T05:00:00Z",
    "appointment_date": "2026-03-02",
    "appointment_time": "10:00",
    "timezone": "Asia/Kolkata",
    "duration_minutes": 30,
    "party_size": 1,
    "resource_ids": [],
    "price": "1200.00",
    "currency": "INR",
    "status": "scheduled",
    "confirmation": "none",
    "source": "api",
    "notes": "Prefers mornings.",
    "cancellation_reason": "",
    "call_id": None,
    "series_id": None,
    "visit_id": None,
    "metadata": {"crm_id": "C-1042"},
    "created_at": "2026-02-24T09:12:41Z",
    "updated_at": "2026-02-24T09:12:41Z",
}

_CALL: Final[dict[str, Any]] = {
    "id": 2207,
    "provider": "vapi",
    "provider_call_id": "5c1f6f0e-1d8a-4d6c-9a43-0d0f5a2f8a11",
    "direction": "inbound",
    "status": "completed",
    "from_number": "+919876543210",
    "to_number": "+918012345678",
    "customer_id": 391,
    "customer_name": "Asha Rao",
    "appointment_id": 4812,
    "started_at": "2026-02-24T09:10:02Z",
    "ended_at": "2026-02-24T09:12:50Z",
    "duration_seconds": 168,
    "end_reason": "customer_hung_up",
    "outcome": "booked",
    "sentiment": "positive",
    "sentiment_score": 0.82,
    "summary": "Asha booked a cleaning for Monday at 10:00.",
    "recording_url": "https://recordings.example.com/2207.mp3",
    "created_at": "2026-02-24T09:10:02Z",
    "updated_at": "2026-02-24T09:12:55Z",
    "transcript": [
        {"speaker": "agent", "text": "Smile Dental, how can I help?", "offset_seconds": 0.4},
        {"speaker": "caller", "text": "I would like a cleaning.", "offset_seconds": 3.1},
    ],
}

_CUSTOMER: Final[dict[str, Any]] = {
    "id": 391,
    "name": "Asha Rao",
    "phone": "+919876543210",
    "email": "asha@example.com",
    "segment": "lead",
    "pipeline_stage": "new_lead",
    "source": "api",
    "notes": "",
    "metadata": {},
    "total_appointments": 0,
    "total_spent": "0.00",
    "last_visit_at": None,
    "created_at": "2026-02-24T09:10:40Z",
    "updated_at": "2026-02-24T09:10:40Z",
}

_SERVICE: Final[dict[str, Any]] = {
    "id": 12,
    "name": "Dental cleaning",
    "description": "With polish.",
    "duration_minutes": 30,
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 10,
    "price": "1200.00",
    "currency": "INR",
    "capacity": 1,
    "resource_kinds": [],
    "needs_staff": True,
    "minimum_notice_minutes": None,
    "horizon_days": 90,
    "daily_cap": None,
    "cancellation_window_minutes": 1440,
    "reschedule_window_minutes": 1440,
    "is_active": True,
    "staff_ids": [5],
    "created_at": "2026-02-01T08:00:00Z",
    "updated_at": "2026-02-24T09:12:41Z",
}

_RESOURCE: Final[dict[str, Any]] = {
    "id": 9,
    "name": "Table 4",
    "kind": "table",
    "capacity": 6,
    "is_active": True,
    "hours": [{"weekday": 4, "start": "18:00", "end": "23:00"}],
    "closures": [],
    "created_at": "2026-02-01T08:00:00Z",
    "updated_at": "2026-02-24T09:12:41Z",
}

_STAFF: Final[dict[str, Any]] = {
    "id": 5,
    "name": "Dr. Meera Nair",
    "specialty": "Dentistry",
    "email": "meera@example.com",
    "is_active": True,
    "timezone": "Asia/Kolkata",
    "services": [{"id": 12, "name": "Dental cleaning"}],
    "working_hours": [
        {"weekday": 0, "start": "09:00", "end": "13:00"},
        {"weekday": 0, "start": "14:00", "end": "18:00"},
    ],
    "date_overrides": [{"date": "2026-12-24", "hours": [{"start": "09:00", "end": "12:00"}]}],
    "time_off": [
        {
            "start_time": "2026-04-05T18:30:00Z",
            "end_time": "2026-04-10T18:30:00Z",
            "reason": "Vacation",
        }
    ],
    "created_at": "2026-02-01T08:00:00Z",
    "updated_at": "2026-02-24T09:12:41Z",
}

_CLOSURE: Final[dict[str, Any]] = {
    "id": 31,
    "kind": "holiday",
    "reason": "Christmas",
    "first_date": "2026-12-25",
    "from_time": "00:00",
    "last_date": "2026-12-25",
    "until_time": "24:00",
    "created_at": "2026-02-24T09:12:41Z",
    "updated_at": "2026-02-24T09:12:41Z",
}

_WAITLIST_ENTRY: Final[dict[str, Any]] = {
    "id": 77,
    "customer_id": 391,
    "customer_name": "Asha Rao",
    "service_id": 12,
    "service": "Dental cleaning",
    "staff_id": None,
    "staff_name": None,
    "date_from": "2026-03-02",
    "date_to": "2026-03-06",
    "part_of_day": "morning",
    "party_size": 1,
    "timezone": "Asia/Kolkata",
    "status": "offered",
    "hold_id": 9031,
    "offered_start_time": "2026-03-03T04:30:00Z",
    "offered_staff_id": 5,
    "offered_staff_name": "Dr. Meera Nair",
    "offer_expires_at": "2026-02-27T08:30:20Z",
    "unanswered_offers": 0,
    "created_at": "2026-02-24T09:12:41Z",
    "updated_at": "2026-02-27T08:00:20Z",
}

_ALL: Final = (
    EventType(
        "appointment.booked", "An appointment was booked, through any channel.", _APPOINTMENT
    ),
    EventType(
        "appointment.rescheduled",
        "Its time, its staff member or its service changed.",
        {
            **_APPOINTMENT,
            "start_time": "2026-03-03T05:30:00Z",
            "end_time": "2026-03-03T06:00:00Z",
            "appointment_date": "2026-03-03",
            "appointment_time": "11:00",
            "updated_at": "2026-02-26T13:05:09Z",
            "previous_start_time": "2026-03-02T04:30:00Z",
            "previous_staff_id": 5,
        },
    ),
    EventType(
        "appointment.cancelled",
        "An appointment was cancelled; its slot is free again.",
        {
            **_APPOINTMENT,
            "status": "cancelled",
            "cancellation_reason": "Out of town",
            "updated_at": "2026-02-27T08:00:00Z",
        },
    ),
    EventType(
        "appointment.completed",
        "The customer came; the appointment is done.",
        {**_APPOINTMENT, "status": "completed", "updated_at": "2026-03-02T05:02:10Z"},
    ),
    EventType(
        "appointment.no_show",
        "The customer did not come.",
        {**_APPOINTMENT, "status": "no_show", "updated_at": "2026-03-02T05:20:00Z"},
    ),
    EventType(
        "appointment.reminder_due",
        "An appointment begins soon: time to remind the customer. Off unless the business has set how "
        "many hours before.",
        {**_APPOINTMENT, "confirmation": "requested"},
    ),
    EventType(
        "call.completed",
        "A call ended and was analysed; the transcript comes with it.",
        _CALL,
    ),
    EventType(
        "call.missed",
        "A call was not answered. `missed_call` subscribes to it too.",
        {
            **_CALL,
            "id": 2208,
            "provider_call_id": "9b0d2d0c-7e53-4f3a-8c39-5b6f0f6d3e02",
            "status": "missed",
            "appointment_id": None,
            "ended_at": "2026-02-24T09:10:32Z",
            "duration_seconds": 0,
            "end_reason": "no_answer",
            "outcome": "missed",
            "sentiment": None,
            "sentiment_score": None,
            "summary": "",
            "recording_url": None,
            "transcript": [],
        },
    ),
    EventType(
        "call.analyzed",
        "An analysis came after `call.completed` had gone out: sentiment, summary or recording.",
        {**_CALL, "sentiment": "neutral", "sentiment_score": 0},
    ),
    EventType("customer.created", "A customer was added.", _CUSTOMER),
    EventType(
        "customer.updated",
        "A customer was edited. Figures derived from appointments do not trigger it.",
        {**_CUSTOMER, "notes": "Allergic to penicillin.", "updated_at": "2026-02-25T07:30:00Z"},
    ),
    EventType(
        "customer.erased",
        "A person asked to be forgotten: erase what you hold of them. `data` is the id alone.",
        {"id": 391},
    ),
    EventType("service.updated", "A service was added or edited.", _SERVICE),
    EventType("resource.updated", "A resource was added or edited.", _RESOURCE),
    EventType(
        "resource.removed",
        "A resource that was never booked was removed.",
        {**_RESOURCE, "is_active": False},
    ),
    EventType(
        "staff.updated",
        "A member of staff was added or edited: services, hours, single dates and time off too.",
        _STAFF,
    ),
    EventType("closure.created", "The business will be closed at a time.", _CLOSURE),
    EventType(
        "closure.removed",
        "A closure was removed. One that was edited is removed and created again, with the same id.",
        _CLOSURE,
    ),
    EventType(
        "waitlist.offered",
        "A time became free and is held for someone on the waiting list until `offer_expires_at`.",
        _WAITLIST_ENTRY,
    ),
)

EVENT_TYPES: Final[Mapping[str, EventType]] = {kind.name: kind for kind in _ALL}


# Every read scope that some event type needs.
EVENT_SCOPES: Final = tuple(dict.fromkeys(kind.read_scope for kind in _ALL))

# A subscription to `*` needs these. Types that came later need further scopes; keys that subscribed
# before do not lose their endpoints, but receive such types only where they have the scope.
_SCOPES_OF_ALL: Final = ("appointments:read", "calls:read", "customers:read")


def read_scopes_of(names: Iterable[str]) -> list[str]:
    """The scopes that are needed to subscribe to these types; unknown names are skipped."""
    known = {SPELLINGS.get(name, name) for name in names}
    of_all = _SCOPES_OF_ALL if ALL_EVENTS in known else ()
    return list(dict.fromkeys([*of_all, *(one.read_scope for one in _ALL if one.name in known)]))


# The name on KaiVox's public developers' page.
SPELLINGS: Final = {"missed_call": "call.missed"}


def normalise(name: str) -> str:
    """The canonical name of `name`, which may be another spelling or `*`.

    Raises KeyError if there is no such event type.
    """
    name = SPELLINGS.get(name, name)
    return name if name == ALL_EVENTS else EVENT_TYPES[name].name
