"""The OpenAPI document: made from the views, each event type added as a request that we send."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from rest_framework.request import Request

from kaivox.api.encoding import encode, etag_of, tags_of
from kaivox.api.renderers import EnvelopeRenderer, StreamedRenderer
from kaivox.api.views import FramedView
from webhooks.event_types import EVENT_TYPES, EventType

Schema = dict[str, Any]

_DESCRIPTION: Final = (
    "Appointments, customers and calls of a business, and its events as webhooks. Answers are JSON "
    "in one envelope; errors name their field. Guides: /docs."
)
_TAGS: Final = {
    "appointments": "Free times, bookings, moves, cancellations.",
    "customers": "The people who call, book and come.",
    "calls": "Calls with transcript, summary and sentiment.",
    "staff": "Who performs services, and when.",
    "services": "What can be booked.",
    "webhooks": "Receivers of events, and what was sent to them.",
    "business": "Your business, your quota, your key.",
    "index": "The list of resources.",
}
# What `data` of an event is: the object as the API shows it.
_SHOWN: Final = {
    "appointment": "Appointment",
    "call": "CallWithTranscript",
    "customer": "Customer",
}
_RESCHEDULED: Final[Schema] = {
    "previous_start_time": {"type": "string", "format": "date-time"},
    "previous_staff_id": {"type": "integer", "format": "int64"},
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


_lock = threading.Lock()


class YamlRenderer(StreamedRenderer):
    """Chosen by `?format=yaml` or `Accept`; the view writes it."""

    media_type = "application/yaml"
    format = "yaml"


@cache
def document() -> Schema:
    """The whole document. Made once per process; callers must not change it."""
    with _lock:  # the generator keeps state of its own in its modules
        made: Schema = SchemaGenerator().get_schema(request=None, public=True)
        return made


class SchemaView(FramedView):
    """The OpenAPI document: JSON, or YAML where asked. Needs no key and costs nothing."""

    schema = None
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = (EnvelopeRenderer, YamlRenderer)

    def get(self, request: Request) -> HttpResponse:
        written = _written(request.accepted_renderer.format)
        tag = etag_of(written)
        if tag in tags_of(request.META.get("HTTP_IF_NONE_MATCH", "")):
            return HttpResponse(status=304, headers={"ETag": tag})
        content_type = f"{request.accepted_media_type}; charset=utf-8"
        headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
        return HttpResponse(written, content_type=content_type, headers=headers)


@cache
def _written(form: str) -> bytes:
    if form == "yaml":
        return bytes(OpenApiYamlRenderer().render(document(), renderer_context={}))
    return encode(document())


def introduce(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """drf-spectacular's hook: what a reader of the whole document sees first."""
    result["info"]["description"] = _DESCRIPTION
    result["servers"] = [{"url": "/", "description": "Where this document comes from."}]
    result["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    return result


def add_webhooks(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """drf-spectacular's hook: each event type as a request that we send."""
    types = EVENT_TYPES.values()
    schemas = result["components"]["schemas"]
    schemas |= {_name(kind): _envelope(kind, schemas) for kind in types}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    result["webhooks"] = {kind.name: {"post": _delivery(kind)} for kind in types}
    return result


def _name(kind: EventType) -> str:
    """`AppointmentBookedEvent` of `appointment.booked`."""
    return "".join(word.capitalize() for word in kind.name.replace("_", ".").split(".")) + "Event"


def _envelope(kind: EventType, schemas: Schema) -> Schema:
    shown = _SHOWN[kind.name.partition(".")[0]]
    data: Schema = {"$ref": f"#/components/schemas/{shown}"}
    if kind.name == "appointment.rescheduled":
        of = schemas[shown]
        data = {
            "type": "object",
            "properties": {**of["properties"], **_RESCHEDULED},
            "required": [*of["required"], *_RESCHEDULED],
        }
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
