"""Serializers of endpoints, events, deliveries and attempts, and of the bodies that change them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kaivox.api.fields import (
    BoundedListField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    UtcDateTimeField,
)
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from kaivox.db.encrypted_fields import UndecryptableValue
from webhooks.custom_headers import MASK, MAX_HEADERS, MAX_VALUE, masked_headers_of
from webhooks.event_filters import MAX_FILTERS, OPERATORS
from webhooks.models import (
    MAX_RATE,
    MAX_URL_LENGTH,
    Attempt,
    AttemptOutcome,
    AttemptTrigger,
    Delivery,
    DeliveryStatus,
    Endpoint,
    RatePeriod,
)

_FILTERS: dict[str, Any] = {
    "type": "array",
    "maxItems": MAX_FILTERS,
    "items": {
        "type": "object",
        "properties": {
            "field": {
                "type": "string",
                "description": "`type`, `livemode`, `data.…` or `data.metadata.…`.",
                "examples": ["data.status"],
            },
            "operator": {
                "type": "string",
                "enum": list(OPERATORS),
                "description": "How the field is compared with the value.",
            },
            # Without a type: generators of clients do not handle a choice of types.
            "value": {
                "description": "Text, number, boolean or null; a list with `in` and `not_in`."
            },
        },
        "required": ["field", "operator", "value"],
        "additionalProperties": False,
    },
}
_NO_ERROR = frozenset(
    {"", AttemptOutcome.IN_FLIGHT, AttemptOutcome.SUCCEEDED, AttemptOutcome.HTTP_ERROR}
)


class CreatorSerializer(ReadSerializer):
    """Who created an endpoint or last changed where it sends. Users are shown without a name."""

    type = serializers.ChoiceField(choices=("api_key", "user"))
    name = serializers.CharField(allow_null=True)
    prefix = serializers.CharField(allow_null=True)


class EndpointSerializer(ReadSerializer):
    """A receiver of events."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.CharField(), help_text='What it subscribes to; `["*"]` is everything.'
    )
    is_active = serializers.BooleanField(help_text="Off: nothing is sent to it.")
    disabled_reason = serializers.SerializerMethodField(
        help_text="`paused` by a user, `gone` (it responded 410), `failing` for days, `key_revoked` "
        "(its API key is revoked, expired or lacks a scope); else null."
    )
    disabled_at = UtcDateTimeField(allow_null=True)
    max_in_flight = serializers.IntegerField(help_text="The most requests in flight at once.")
    rate_limit = serializers.SerializerMethodField(
        help_text="The most requests in any `rate_limit_period`; null: no limit."
    )
    rate_limit_period = serializers.ChoiceField(choices=RatePeriod.choices)
    in_order = serializers.BooleanField(help_text="Events of one object wait for each other.")
    filters = serializers.SerializerMethodField(
        help_text="Only events for which all of them hold are sent to it."
    )
    headers = serializers.SerializerMethodField(
        help_text="Your own headers of every request to it, their values masked. Null if they "
        "can no longer be decrypted: set them again."
    )
    secret_readable = serializers.SerializerMethodField(
        help_text="False: its secret can no longer be decrypted, and deliveries wait. Rotate it."
    )
    previous_secret_expires_at = UtcDateTimeField(
        allow_null=True, help_text="Until then requests are signed with the older secret too."
    )
    created_by = serializers.SerializerMethodField(
        help_text="Who last decided where its events are sent, and so what it may receive: an API key "
        "(its name and prefix), or a user; null if unknown."
    )
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    def get_secret_readable(endpoint: Endpoint) -> bool:
        return not isinstance(endpoint.secret, UndecryptableValue)

    @staticmethod
    def get_rate_limit(endpoint: Endpoint) -> int | None:
        return endpoint.rate_limit or None

    @staticmethod
    @extend_schema_field(_FILTERS)
    def get_filters(endpoint: Endpoint) -> list[dict[str, Any]]:
        return endpoint.filters or []

    @staticmethod
    def get_headers(endpoint: Endpoint) -> dict[str, str] | None:
        return masked_headers_of(endpoint)

    @staticmethod
    @extend_schema_field(CreatorSerializer(allow_null=True))
    def get_created_by(endpoint: Endpoint) -> dict[str, Any] | None:
        key = endpoint.created_by_key
        if key is not None:
            return {"type": "api_key", "name": key.name, "prefix": key.prefix}
        if endpoint.created_by_id is not None:
            return {"type": "user", "name": None, "prefix": None}
        return None

    @staticmethod
    def get_disabled_reason(endpoint: Endpoint) -> str | None:
        return endpoint.disabled_reason or None


class EndpointWithSecretSerializer(EndpointSerializer):
    """An endpoint and its secret, which is shown only once."""

    secret = serializers.CharField(
        required=False,
        help_text="`whsec_…`. Store it: it is not shown again, not even by a replay with the same "
        "`Idempotency-Key`.",
    )


class EndpointHealthSerializer(ReadSerializer):
    """Statistics of an endpoint over the last 24 hours."""

    since = UtcDateTimeField(help_text="The figures count attempts from here on.")
    attempts = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="0…1; null without attempts.")
    p50_ms = serializers.IntegerField(allow_null=True)
    p95_ms = serializers.IntegerField(allow_null=True)
    waiting = serializers.IntegerField(help_text="Deliveries that wait for their next attempt.")
    held_back_until = UtcDateTimeField(
        allow_null=True, help_text="Open circuit breaker: nothing is sent to it until then."
    )
    last_failure = serializers.DictField(allow_null=True)


class AttemptSerializer(ReadSerializer):
    """One request and its response."""

    number = serializers.IntegerField()
    trigger = serializers.ChoiceField(choices=AttemptTrigger.choices)
    started_at = UtcDateTimeField()
    finished_at = UtcDateTimeField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    outcome = serializers.ChoiceField(choices=AttemptOutcome.choices)
    http_status = serializers.IntegerField(allow_null=True)
    error = serializers.SerializerMethodField(
        help_text="The error class if there was no HTTP response."
    )
    error_message = serializers.CharField(
        help_text="Why there is no HTTP status, or why the response's body is not complete."
    )
    url = serializers.CharField()
    request_headers = serializers.DictField(child=serializers.CharField())
    response_body = serializers.SerializerMethodField(
        help_text="The first 4 KiB, as UTF-8; other bytes become U+FFFD."
    )
    response_truncated = serializers.BooleanField()

    @staticmethod
    def get_error(attempt: Attempt) -> str | None:
        return None if attempt.outcome in _NO_ERROR else attempt.outcome

    @staticmethod
    def get_response_body(attempt: Attempt) -> str:
        return bytes(attempt.response_body).decode(errors="replace")


class DeliverySerializer(ReadSerializer):
    """The delivery of one event to one endpoint."""

    id = serializers.IntegerField()
    endpoint_id = serializers.IntegerField()
    event_id = serializers.CharField(source="event.uid")
    event_type = serializers.CharField(source="event.type")
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    attempt_count = serializers.IntegerField()
    http_status = serializers.IntegerField(
        source="last_http_status", allow_null=True, help_text="Of the latest attempt."
    )
    error = serializers.SerializerMethodField(help_text="Error class of the latest attempt.")
    next_attempt_at = serializers.SerializerMethodField(
        help_text="Null once the delivery has ended."
    )
    delivered_at = UtcDateTimeField(allow_null=True)
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    def get_error(delivery: Delivery) -> str | None:
        return delivery.last_error or None

    @staticmethod
    @extend_schema_field(UtcDateTimeField(allow_null=True))
    def get_next_attempt_at(delivery: Delivery) -> str | None:
        if delivery.status != DeliveryStatus.PENDING:
            return None
        return UtcDateTimeField().to_representation(delivery.next_attempt_at)


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with its event and every attempt."""

    event = serializers.SerializerMethodField(help_text="The body of every request, as JSON.")
    attempts = AttemptSerializer(many=True)

    @staticmethod
    def get_event(delivery: Delivery) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(bytes(delivery.event.body))
        return body


class EventSerializer(ReadSerializer):
    """An event: the frozen body that webhooks carry, byte for byte the same JSON values."""

    id = serializers.CharField(help_text="`evt_…`; ids sort by the time of their event.")
    type = serializers.CharField()
    created_at = UtcDateTimeField()
    business_id = serializers.IntegerField()
    livemode = serializers.BooleanField()
    api_version = serializers.CharField()
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The object as the API showed it when the event was recorded."
    )

    @classmethod
    def render(cls, row: Any) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(bytes(row.body))
        return body

    @classmethod
    def render_many(cls, rows: Iterable[Any]) -> list[dict[str, Any]]:
        return [cls.render(row) for row in rows]


class EventTypeSerializer(ReadSerializer):
    """A type of event."""

    name = serializers.CharField()
    meaning = serializers.CharField()
    example = serializers.DictField(help_text="The `data` of such an event.")


# --- Bodies ------------------------------------------------------------------------------------


def _names(**kwargs: Any) -> BoundedListField:
    return BoundedListField(
        child=StrictCharField(max_length=40), allow_empty=False, max_length=50, **kwargs
    )


@extend_schema_field(_FILTERS)
class FiltersField(BoundedListField):
    """Filters; `webhooks.event_filters` validates each of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.DictField(), max_length=MAX_FILTERS, **kwargs)


class EndpointPatch(WriteSerializer):
    """Changes of an endpoint."""

    cleared: ClassVar[Mapping[str, Any]] = {
        "description": "",
        "filters": (),
        "in_order": False,
        "rate_limit": 0,
        "rate_limit_period": RatePeriod.MINUTE,
        "max_in_flight": Endpoint._meta.get_field("max_in_flight").default,
    }

    url = StrictCharField(
        max_length=MAX_URL_LENGTH, required=False, help_text="https, reachable from the Internet."
    )
    description = StrictCharField(max_length=200, required=False, allow_blank=True)
    event_types = _names(
        required=False,
        help_text='Names from `GET /webhooks/event-types`; `["*"]`, the default, is everything.',
    )
    events = _names(required=False, help_text="Alias of `event_types`; send one of the two.")
    is_active = StrictBooleanField(required=False)
    filters = FiltersField(
        required=False,
        help_text="Conditions on the body: `[{"
        '"field": "data.status", "operator": "in", "value": ["no_show", "cancelled"]}]`. All must '
        "hold. Fields: `type`, `livemode`, `data.…`, `data.metadata.…`. Replaced as a whole.",
    )
    headers = serializers.DictField(
        child=StrictCharField(max_length=MAX_VALUE, allow_blank=True),
        required=False,
        allow_null=True,
        help_text=f"Up to {MAX_HEADERS} headers of your own for every request, such as an API "
        'token: `{"Authorization": "Bearer …"}`. Encrypted; shown masked. Replaced as a whole; a '
        f"value of `{MASK}` leaves the stored one unchanged.",
    )
    max_in_flight = StrictIntegerField(required=False, min_value=1, max_value=16)
    rate_limit = StrictIntegerField(
        required=False,
        min_value=1,
        max_value=MAX_RATE,
        help_text="The most requests in any `rate_limit_period`, retries and tests included. What is "
        "over waits. Null: no limit.",
    )
    rate_limit_period = serializers.ChoiceField(
        choices=RatePeriod.choices, required=False, help_text="A minute by default."
    )
    in_order = StrictBooleanField(
        required=False,
        help_text="The events of one object wait for each other: see *Events in order*.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "events" in attrs:
            if "event_types" in attrs:
                raise serializers.ValidationError(
                    {"events": ["Send either event_types or events, not both."]}
                )
            attrs["event_types"] = attrs.pop("events")
        if "headers" in attrs:
            attrs["headers"] = attrs["headers"] or {}
        return attrs


class NewEndpoint(EndpointPatch):
    """A new endpoint."""

    url = StrictCharField(
        max_length=MAX_URL_LENGTH, help_text="https, reachable from the Internet."
    )


class SecretRotation(WriteSerializer):
    grace_seconds = StrictIntegerField(
        required=False,
        default=86_400,
        min_value=0,
        max_value=604_800,
        help_text="How long the old secret signs too: 0 to 7 days; 24 hours by default.",
    )


class TestEvent(WriteSerializer):
    __test__ = False  # pytest collects by name

    event_type = StrictCharField(
        max_length=40, help_text="Its example is sent to this endpoint only."
    )


class NoFields(WriteSerializer):
    """An empty body, or `{}`."""


class Recovery(WriteSerializer):
    since = UtcDateTimeField(help_text="Events from this instant on.")
    until = UtcDateTimeField(
        required=False, help_text="Events before this instant; now by default."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "until" in attrs and attrs["until"] < attrs["since"]:
            raise serializers.ValidationError({"until": ["It is before since."]})
        return attrs
