"""The OpenAPI document: generated from the views, with each event type as a webhook."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from rest_framework import serializers
from rest_framework.request import Request

from kaivox.api.encoders import encode
from kaivox.api.etags import make_etag, names_etag
from kaivox.api.openapi.version_3_0 import drop_unused, to_openapi_3_0
from kaivox.api.renderers import EnvelopeRenderer, StreamedRenderer
from kaivox.api.serializers import QuerySerializer
from kaivox.api.views import ApiView
from kaivox.pages.openapi_examples import add_examples
from kaivox.pages.openapi_texts import describe
from webhooks.event_types import EVENT_TYPES, EventType

Schema = dict[str, Any]

_DESCRIPTION: Final = (
    "Appointments, customers and calls of a business, and its events as webhooks. Responses are JSON "
    "in one envelope; errors name their field. Send your API key as `X-API-Key` or as a bearer token. "
    "Generators that do not read OpenAPI 3.1 use `/api/schema?version=3.0`. Guides: /docs."
)
_EVENT_TAG: Final = "webhook-events"
_TAGS: Final = {
    "agents": "Tools for AI agents.",
    "appointments": "Free times, bookings, reschedules, cancellations.",
    "series": "Appointments that repeat, and their clashes.",
    "visits": "Several services for one customer, one after the other.",
    "customers": "The people who call, book and come.",
    "calls": "Calls with transcript, summary and sentiment.",
    "staff": "Who performs services, and when.",
    "services": "What can be booked.",
    "resources": "What services require beside a member of staff: chairs, tables, machines.",
    "closures": "When the business is closed.",
    "calendars": "Calendars elsewhere that block the time of staff.",
    "waitlist": "Customers who wait for a time that is not free yet.",
    "events": "What happened, as webhooks carry it; can be read as a feed.",
    "webhooks": "Receivers of events, and what was sent to them.",
    "business": "Your business, your quota, your key.",
    "index": "The list of resources.",
    "voice": "Calls reported by your own voice engine.",
    # Not `webhooks`: generators write a module for each tag of the paths and one for each of the
    # section `webhooks`, and the second overwrote the first.
    _EVENT_TAG: "Requests that your webhook receives.",
}
# Editors and generators in a browser load the document; it contains no data of any business.
_FOR_ANY_PAGE: Final = {"Access-Control-Allow-Origin": "*"}
# Schema of `data`, by the resource of the event.
_SHOWN: Final = {
    "appointment": "Appointment",
    "call": "CallWithTranscript",
    "customer": "Customer",
    "service": "Service",
    "staff": "Staff",
    "resource": "Resource",
    "closure": "Closure",
    "waitlist": "WaitlistEntry",
}
_RESCHEDULED: Final[Schema] = {
    "previous_start_time": {"type": "string", "format": "date-time"},
    "previous_staff_id": {"type": ["integer", "null"], "format": "int64"},
}
_HEADERS: Final = {
    "X-KaiVox-Event": "The event's type.",
    "X-KaiVox-Delivery": "Id of the delivery, as in the delivery log.",
    "X-KaiVox-Attempt": "1 for the first, counted on by each retry.",
    "traceparent": "W3C Trace Context: one trace for each event, one span for each attempt.",
    "X-KaiVox-Signature": "`t=<unix>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>` under the secret.",
    "webhook-id": "Id of the event: the same for every attempt. Keep it to recognise repeats.",
    "webhook-timestamp": "Unix seconds of this attempt.",
    "webhook-signature": "`v1,<base64>`, as Standard Webhooks has it.",
}
_TEST_HEADER: Final = "X-KaiVox-Test"

_lock = threading.Lock()


class YamlRenderer(StreamedRenderer):
    """Chosen by `?format=yaml` or `Accept`; the view writes it."""

    media_type = "application/yaml"
    format = "yaml"


@cache
def document() -> Schema:
    """The whole document (3.1). Generated once per process; callers must not change it."""
    with _lock:  # the generator has module-level state
        made: Schema = SchemaGenerator().get_schema(request=None, public=True)
        return made


class SchemaQuery(QuerySerializer):
    version = serializers.ChoiceField(choices=("3.0", "3.1"), default="3.1")


class SchemaView(ApiView):
    """The OpenAPI document, `version` 3.1 or 3.0, as JSON or YAML. Needs no key and costs no quota."""

    schema = None
    query_serializers = {"get": SchemaQuery}
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    renderer_classes = (EnvelopeRenderer, YamlRenderer)

    def get(self, request: Request) -> HttpResponse:
        written = _written(request.accepted_renderer.format, self.query["version"])
        tag = make_etag(written)
        if names_etag(request.META.get("HTTP_IF_NONE_MATCH", ""), tag):
            return HttpResponse(status=304, headers={"ETag": tag, **_FOR_ANY_PAGE})
        content_type = f"{request.accepted_media_type}; charset=utf-8"
        headers = {"ETag": tag, "Cache-Control": "public, no-cache", **_FOR_ANY_PAGE}
        return HttpResponse(written, content_type=content_type, headers=headers)


@cache
def _written(form: str, version: str) -> bytes:
    made = document() if version == "3.1" else to_openapi_3_0(document())
    if form == "yaml":
        return bytes(OpenApiYamlRenderer().render(made, renderer_context={}))
    return encode(made)


def introduce(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Hook of drf-spectacular: info, servers and tags."""
    result["info"] |= {
        "description": _DESCRIPTION,
        "contact": {"name": "KaiVox", "url": f"{settings.PUBLIC_URL}/docs"},
        "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
    }
    # Absolute: many clients cannot resolve a relative one.
    result["servers"] = [{"url": settings.PUBLIC_URL, "description": "This server."}]
    result["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    return result


def add_webhooks(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """Hook of drf-spectacular, the last: event types as webhooks, descriptions, examples."""
    types = EVENT_TYPES.values()
    schemas = result["components"]["schemas"]
    schemas |= {_name(kind): _envelope(kind, schemas) for kind in types}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    result["webhooks"] = {kind.name: {"post": _delivery(kind)} for kind in types}
    _sign_engine_calls(result)
    describe(result)
    add_examples(result)
    drop_unused(result)
    return result


def _sign_engine_calls(result: Schema) -> None:
    """Declares the signature of operations that are authenticated by it instead of an API key."""
    header = "X-KaiVox-Signature"
    for item in result["paths"].values():
        for operation in item.values():
            if header in {one.get("name") for one in operation.get("parameters", ())}:
                operation["security"] = [{"Signature": []}]
                result["components"]["securitySchemes"]["Signature"] = {
                    "type": "apiKey",
                    "in": "header",
                    "name": header,
                    "description": "HMAC-SHA256 of the body under the account's secret.",
                }


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
    if kind.name == "customer.erased":
        data = {
            "type": "object",
            "properties": {"id": {"type": "integer", "format": "int64"}},
            "required": ["id"],
        }
    properties: Schema = {
        "id": {"type": "string", "pattern": "^evt_", "description": "The same on every attempt."},
        "type": {"type": "string", "const": kind.name},
        "created_at": {"type": "string", "format": "date-time"},
        "business_id": {"type": "integer", "format": "int64"},
        "livemode": {"type": "boolean", "description": "False: of a sandbox business."},
        "test": {"type": "boolean", "const": True, "description": "Only in test events."},
        "api_version": {"type": "string", "const": "v1"},
        "data": data,
    }
    return {
        "type": "object",
        "description": kind.meaning,
        "properties": properties,
        "required": [name for name in properties if name != "test"],
    }


def _delivery(kind: EventType) -> Schema:
    return {
        "operationId": f"receive_{kind.name.replace('.', '_')}",
        "summary": kind.meaning,
        "tags": [_EVENT_TAG],
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": name != _TEST_HEADER,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in {**_HEADERS, _TEST_HEADER: "`1`: a test event."}.items()
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
                "description": "Delivered. Any other status, or none within 15 seconds, is retried."
            },
            "410": {"description": "No more events: the webhook is switched off."},
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
