"""What can happen, and what does a receiver get told? The one list of event types.

The examples are whole `data` objects in the shape of the API. The OpenAPI document, `GET
/webhooks/event-types`, the developers' page and test events show the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class EventType:
    """`example` is the `data` of such an event."""

    name: str
    meaning: str
    example: Mapping[str, Any]


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
    "price": "1200.00",
    "currency": "INR",
    "status": "scheduled",
    "source": "api",
    "notes": "Prefers mornings.",
    "cancellation_reason": "",
    "call_id": None,
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

_ALL: Final = (
    EventType("appointment.booked", "An appointment was booked, by whatever road.", _APPOINTMENT),
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
        "An appointment was cancelled; its time is free again.",
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
        "call.completed",
        "A call ended and was analysed; the transcript comes with it.",
        _CALL,
    ),
    EventType(
        "call.missed",
        "A call that nobody took. `missed_call` subscribes to it too.",
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
        {**_CALL, "sentiment": "neutral", "sentiment_score": 0.0},
    ),
    EventType("customer.created", "A customer was added.", _CUSTOMER),
    EventType(
        "customer.updated",
        "Somebody edited a customer. Figures that follow from appointments do not cause it.",
        {**_CUSTOMER, "notes": "Allergic to penicillin.", "updated_at": "2026-02-25T07:30:00Z"},
    ),
)

EVENT_TYPES: Final[Mapping[str, EventType]] = {kind.name: kind for kind in _ALL}

# The public page of KaiVox calls it so.
_SPELLINGS: Final = {"missed_call": "call.missed"}


def canonical(name: str) -> str:
    """The name that we keep for `name`, which may be another spelling or `*`.

    Raises KeyError where there is no such event type.
    """
    name = _SPELLINGS.get(name, name)
    return name if name == EVERYTHING else EVENT_TYPES[name].name
