"""Examples of every body and every success in the OpenAPI document.

Objects that events carry are shown as in the examples of the event types. The ids of all examples
belong together, so that a reader can follow a booking through the operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kaivox.api.export.streaming import export_of
from webhooks.event_types import EVENT_TYPES

Schema = dict[str, Any]

_APPOINTMENT: Final = EVENT_TYPES["appointment.booked"].example
_CALL: Final = EVENT_TYPES["call.completed"].example
_START: Final = {"appointment_date": "2026-03-02", "appointment_time": "10:00"}

_SERIES: Final = {
    "customer_id": 391,
    "service_id": 12,
    **_START,
    "frequency": "weekly",
    "interval": 2,
    "count": 10,
}
_GROUPED: Final = {
    **{name: value for name, value in _APPOINTMENT.items() if name != "customer_name"},
    "series_id": 31,
}

# By `operationId`.
REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_appointment": {
        "customer_id": 391,
        "service_id": 12,
        **_START,
        "notes": "Prefers mornings.",
        "metadata": {"crm_id": "C-1042"},
    },
    "update_appointment": {"appointment_date": "2026-03-03", "appointment_time": "11:00"},
    "set_appointment_status": {"status": "cancelled"},
    "create_hold": {"service_id": 12, **_START, "expires_in_seconds": 300},
    "create_series": _SERIES,
    "preview_series": _SERIES,
    "create_visit": {
        "customer_id": 391,
        "services": [{"service_id": 12}, {"service_id": 14, "staff_id": 5}],
        **_START,
    },
    "update_visit": {"appointment_date": "2026-03-03", "appointment_time": "11:00"},
    "update_series": {"appointment_date": "2026-03-03", "appointment_time": "11:00"},
    "create_waitlist": {"customer_id": 391, "service_id": 12, "date_from": "2026-03-02"},
    "create_customer": {"name": "Asha Rao", "phone": "+919876543210", "email": "asha@example.com"},
    "update_customer": {"pipeline_stage": "contacted", "notes": "Call after 17:00."},
    "create_service": {"name": "Dental cleaning", "duration_minutes": 30, "price": "1200.00"},
    "update_service": {"price": "1350.00", "buffer_after_minutes": 10},
    "create_staff": {
        "name": "Dr. Meera Nair",
        "specialty": "Dentistry",
        "working_hours": [
            {"weekday": 0, "start": "09:00", "end": "13:00"},
            {"weekday": 0, "start": "14:00", "end": "18:00"},
        ],
    },
    "create_resource": {"name": "Table 4", "kind": "table", "capacity": 6},
    "update_resource": {"capacity": 8},
    "create_calendar": {
        "staff_id": 5,
        "ics_url": "https://calendar.example.com/ical/meera/private-9f2c41/basic.ics",
        "name": "Private",
    },
    "create_closure": {"reason": "Christmas", "first_date": "2026-12-25"},
    "take_staff_out": {
        "start_time": "2030-03-04T03:30:00Z",
        "end_time": "2030-03-04T12:30:00Z",
        "reason": "Ill",
        "dry_run": True,
    },
    "update_staff": {"specialty": "Orthodontics"},
    "create_webhook": {
        "url": "https://example.com/kaivox",
        "event_types": ["appointment.booked", "call.completed"],
    },
    "update_webhook": {"event_types": ["*"], "max_in_flight": 8},
    "test_webhook": {"event_type": "appointment.booked"},
    "rotate_webhook_secret": {"grace_seconds": 86_400},
    "recover_webhook": {"since": "2026-02-24T09:00:00Z"},
    "notify_call": {
        "call_id": "engine-2207",
        "status": "completed",
        "direction": "inbound",
        "from_number": "+919876543210",
        "started_at": "2026-02-24T09:10:02Z",
        "duration_seconds": 168,
        "summary": "Asha booked a cleaning for Monday at 10:00.",
        "transcript": [
            {"speaker": "agent", "text": "Smile Dental, how can I help?", "offset_seconds": 0.4}
        ],
    },
}

# By `operationId`: `data` after a change, or where no schema describes it.
_DATA: Final[Mapping[str, Any]] = {
    "delete_appointment": EVENT_TYPES["appointment.cancelled"].example,
    "set_appointment_status": EVENT_TYPES["appointment.cancelled"].example,
    "update_appointment": {
        name: value
        for name, value in EVENT_TYPES["appointment.rescheduled"].example.items()
        if not name.startswith("previous_")
    },
    "update_customer": EVENT_TYPES["customer.updated"].example,
    "get_index": {"appointments": "https://kaivox.example/api/v1/appointments"},
}

_OBJECTS: Final[Mapping[str, Any]] = {
    "Appointment": _APPOINTMENT,
    "Call": {name: value for name, value in _CALL.items() if name != "transcript"},
    "CallWithTranscript": _CALL,
    "Customer": EVENT_TYPES["customer.created"].example,
    "Service": EVENT_TYPES["service.updated"].example,
    "Resource": EVENT_TYPES["resource.updated"].example,
    "Closure": EVENT_TYPES["closure.created"].example,
    "BusyCalendar": {
        "id": 31,
        "staff_id": 5,
        "name": "Private",
        "ics_url": "https://calendar.example.com/….ics",
        "status": "current",
        "problem": None,
        "busy_times": 14,
        "last_read_at": "2026-03-02T04:30:00Z",
        "failing_since": None,
        "created_at": "2026-02-24T09:12:41Z",
        "updated_at": "2026-03-02T04:30:00Z",
    },
    "Staff": EVENT_TYPES["staff.updated"].example,
    "GroupedAppointment": _GROUPED,
    "WaitlistEntry": EVENT_TYPES["waitlist.offered"].example,
    "EventType": {
        "name": "appointment.booked",
        "meaning": EVENT_TYPES["appointment.booked"].meaning,
        "example": _APPOINTMENT,
    },
}

# By name of a field, or by `Schema.field`.
_VALUES: Final[Mapping[str, Any]] = {
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 10,
    "capacity": 1,
    "currency": "INR",
    "country": "IN",
    "date": "2026-03-02",
    "time": "10:00",
    "date_from": "2026-03-02",
    "date_to": "2026-03-02",
    "description": "",
    "duration_minutes": 30,
    "email": "meera@example.com",
    "end": "18:00",
    "endpoint_id": 3,
    "end_time": "2026-03-02T05:00:00Z",
    "event": {"id": "evt_5XkHt0o0mJ7wqFzV4Zr3Ya", "type": "appointment.booked"},
    "event_id": "evt_5XkHt0o0mJ7wqFzV4Zr3Ya",
    "event_type": "appointment.booked",
    "event_types": ["appointment.booked", "call.completed"],
    "expires_at": "2026-03-02T04:35:00Z",
    "filters": [],
    "headers": {},
    "in_order": False,
    "http_status": 200,
    "hold_id": 77,
    "last_four": "x9Qa",
    "max_in_flight": 4,
    "name": "Dr. Meera Nair",
    "next_available": None,
    "page": 1,
    "party_size": 1,
    "per_page": 20,
    "prefix": "kv_live_5mQ2",
    "price": "1200.00",
    "rate_limit": None,
    "resource_ids": [],
    "resource_kinds": [],
    "seats_left": 4,
    "rate_limit_period": "minute",
    "reasons": {},
    "request_headers": {"X-KaiVox-Event": "appointment.booked"},
    "response_body": "ok",
    "scopes": ["appointments:read", "appointments:write"],
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "service": "Dental cleaning",
    "service_id": 12,
    "service_ids": "12,14",
    "slug": "smile-dental",
    "specialty": "Dentistry",
    "staff_id": 5,
    "staff_ids": [5],
    "staff_name": "Dr. Meera Nair",
    "start": "10:00",
    "start_time": "2026-03-02T04:30:00Z",
    "timezone": "Asia/Kolkata",
    "total": 1,
    "total_pages": 1,
    "url": "https://example.com/kaivox",
    "Caller.id": 7,
    "Caller.name": "Smile Dental",
    "CallingKey.name": "Booking site",
    "Creator.name": "Booking site",
    "Delivery.id": 118,
    "DeliveryDetail.id": 118,
    "Endpoint.id": 3,
    "EndpointHealth.attempts": 40,
    "EndpointHealth.p50_ms": 85,
    "EndpointHealth.p95_ms": 240,
    "EndpointHealth.succeeded": 39,
    "EndpointHealth.success_rate": 0.975,
    "EndpointHealth.waiting": 0,
    "EndpointWithSecret.id": 3,
    "Hold.id": 77,
    "Quota.per_day": 5000,
    "Quota.per_minute": 30,
    "Delivery.delivered_at": "2026-02-24T09:12:42Z",
    "DeliveryDetail.delivered_at": "2026-02-24T09:12:42Z",
    "Delivery.status": "succeeded",
    "DeliveryDetail.status": "succeeded",
    "MessageReceipt.call_id": 2207,
    "Attempt.outcome": "succeeded",
    "Occurrence.appointment_date": "2026-03-02",
    "Occurrence.appointment_id": None,
    "Occurrence.appointment_time": "10:00",
    "Occurrence.clash": None,
    "OfferedService.id": 12,
    "Series.count": 10,
    "Series.id": 31,
    "Series.interval": 2,
    "Series.weekdays": [],
    "SeriesDetail.count": 10,
    "SeriesDetail.id": 31,
    "SeriesDetail.interval": 2,
    "SeriesDetail.weekdays": [],
    "SeriesPreview.clashes": 0,
    "SeriesPreview.count": 10,
    "Service.id": 12,
    "SlotStaff.id": 5,
    "Staff.id": 5,
    "Visit.id": 52,
    "WindowUsage.remaining": 29,
    "OfferedService.name": "Dental cleaning",
    "Service.description": "Scaling and polishing.",
    "Service.name": "Dental cleaning",
    "TimeOff.reason": "Conference",
    "WindowUsage.reset": 1_772_425_860,
}
_OF_FORMATS: Final = {
    "date": "2026-03-02",
    "date-time": "2026-02-24T09:12:41Z",
    "email": "asha@example.com",
    "uri": "https://example.com/kaivox",
}
_OPTIONAL: Final = frozenset({"total_at_least", "error"})


def add_examples(document: Schema) -> None:
    """Adds an example to each body and each success of `document` that has none."""
    sampler = Sampler(document)
    for item in document["paths"].values():
        for operation in item.values():
            _add_to(operation, sampler)


def _add_to(operation: Schema, sampler: Sampler) -> None:
    name = operation["operationId"]
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if media and not {"example", "examples"} & media.keys():
        media["example"] = dict(REQUESTS.get(name) or sampler.body(media["schema"]))
    for status, response in operation["responses"].items():
        media = response.get("content", {}).get("application/json")
        if status.startswith("2") and media and not {"example", "examples"} & media.keys():
            media["example"] = sampler.value(media["schema"])
            if name in _DATA:
                media["example"]["data"] = _DATA[name]
            for media_type in response["content"].keys() - {"application/json"}:
                [row] = media["example"]["data"]
                response["content"][media_type]["example"] = export_of(row, media_type)


class Sampler:
    """Makes examples of the schemas of `document`."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def body(self, schema: Schema) -> dict[str, Any]:
        """An object with the required fields of `schema`, or with its first one."""
        owner, schema = self._resolve("", schema)
        names = schema.get("required") or list(schema.get("properties", {}))[:1]
        return {name: self._field(owner, name, schema["properties"][name]) for name in names}

    def value(self, schema: Schema, owner: str = "") -> Any:
        """A value of `schema`; of an object all fields that are always there."""
        owner, schema = self._resolve(owner, schema)
        if owner in _OBJECTS:
            return _OBJECTS[owner]
        if "properties" in schema:
            return {
                name: self._field(owner, name, of_field)
                for name, of_field in schema["properties"].items()
                if name not in _OPTIONAL or name in schema.get("required", ())
            }
        return self._plain(owner, schema)

    def _field(self, owner: str, name: str, schema: Schema) -> Any:
        for key in (f"{owner}.{name}", name):
            # An object of its own is not named by a field that holds a text elsewhere.
            if key in _VALUES and not ("$ref" in schema or schema.get("items", {}).get("$ref")):
                return _VALUES[key]
        return self.value(schema, owner)

    def _plain(self, owner: str, schema: Schema) -> Any:
        for known in (*schema.get("examples", ()), schema.get("example"), schema.get("default")):
            if known is not None:
                return known
        for choice in (schema.get("const"), *schema.get("enum", ())):
            if choice is not None:
                return choice
        for kind in ("oneOf", "anyOf", "allOf"):
            if kind in schema:
                return self.value(schema[kind][0], owner)
        types = schema.get("type", "object")
        if isinstance(types, list):
            if "null" in types:
                return None
            types = types[0]
        if types == "array":
            return [self.value(schema.get("items", {}), owner)]
        if types == "string":
            return _OF_FORMATS.get(schema.get("format", ""), "")
        return {"boolean": True, "object": {}}.get(types, schema.get("minimum", 1))

    def _resolve(self, owner: str, schema: Schema) -> tuple[str, Schema]:
        while "$ref" in schema:
            steps = schema["$ref"].removeprefix("#/").split("/")
            owner, schema = steps[-1], self._document
            for step in steps:
                schema = schema[step]
        return owner, schema
