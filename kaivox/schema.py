"""What the OpenAPI document says of webhooks: each event type as a request that we send."""

from __future__ import annotations

from typing import Any, Final

from webhooks.event_types import EVENT_TYPES, EventType

Schema = dict[str, Any]

# What `data` of an event is: the object as the API shows it.
_SHOWN: Final = {
    "appointment": "Appointment",
    "call": "Call",
    "call.completed": "CallWithTranscript",
    "customer": "Customer",
}
_RESCHEDULED: Final[Schema] = {
    "type": "object",
    "properties": {
        "previous_start_time": {"type": "string", "format": "date-time"},
        "previous_staff_id": {"type": "integer", "format": "int64"},
    },
    "required": ["previous_start_time", "previous_staff_id"],
}
_HEADERS: Final = {
    "X-KaiVox-Event": "The event's type.",
    "X-KaiVox-Delivery": "Id of the delivery, as in the delivery log.",
    "X-KaiVox-Attempt": "1 for the first, counted on by each retry.",
    "X-KaiVox-Signature": "`t=<unix>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>` under the secret.",
    "webhook-id": "Id of the event: the same for every attempt. Keep it to recognise repeats.",
    "webhook-timestamp": "Unix seconds of this attempt.",
    "webhook-signature": "`v1,<base64>`, as Standard Webhooks has it.",
}


def add_webhooks(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """drf-spectacular's hook."""
    types = list(EVENT_TYPES.values()) if isinstance(EVENT_TYPES, dict) else list(EVENT_TYPES)
    schemas = result["components"]["schemas"]
    schemas |= {_name(kind): _envelope(kind, schemas) for kind in types}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    result["webhooks"] = {kind.name: {"post": _delivery(kind)} for kind in types}
    return result


def _name(kind: EventType) -> str:
    """`AppointmentBookedEvent` of `appointment.booked`."""
    return "".join(word.capitalize() for word in kind.name.replace("_", ".").split(".")) + "Event"


def _envelope(kind: EventType, schemas: Schema) -> Schema:
    shown = _SHOWN.get(kind.name) or _SHOWN[kind.name.partition(".")[0]]
    data: Schema = {"$ref": f"#/components/schemas/{shown}"} if shown in schemas else {}
    if kind.name == "appointment.rescheduled":
        data = {"allOf": [data, _RESCHEDULED]}
    properties: Schema = {
        "id": {"type": "string", "pattern": "^evt_", "description": "The same on every attempt."},
        "type": {"type": "string", "const": kind.name},
        "created_at": {"type": "string", "format": "date-time"},
        "business_id": {"type": "integer", "format": "int64"},
        "livemode": {"type": "boolean", "description": "False: of a sandbox."},
        "api_version": {"type": "string", "const": "v1"},
        "data": data,
    }
    return {
        "type": "object",
        "description": kind.meaning,
        "properties": properties,
        "required": list(properties),
    }


def _delivery(kind: EventType) -> Schema:
    return {
        "operationId": f"receive_{kind.name.replace('.', '_')}",
        "summary": kind.meaning,
        "tags": ["webhooks"],
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{_name(kind)}"},
                    "example": _example(kind),
                }
            },
        },
        "responses": {
            "2XX": {
                "description": "Taken. Anything else, or 15 seconds without it, is tried again."
            },
            "410": {"description": "Never again: the endpoint is switched off."},
        },
    }


def _example(kind: EventType) -> Schema:
    return {
        "id": "evt_5XkHt0o0mJ7wqFzV4Zr3Ya",
        "type": kind.name,
        "created_at": "2026-02-24T09:12:41Z",
        "business_id": 7,
        "livemode": True,
        "api_version": "v1",
        "data": dict(kind.example),
    }
