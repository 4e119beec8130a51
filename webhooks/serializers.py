"""The shapes of endpoints, deliveries and attempts: shown, created, changed."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from kaivox.api.fields import InstantField, TextField, TruthField, WholeNumberField
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from webhooks.models import (
    MAX_URL_LENGTH,
    Attempt,
    Delivery,
    DeliveryStatus,
    Endpoint,
    Outcome,
    Trigger,
)

_NO_ERROR = frozenset({"", Outcome.IN_FLIGHT, Outcome.SUCCEEDED, Outcome.HTTP_ERROR})


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
        help_text="`paused` by hand, `gone` (it answered 410), `failing` for days; else null."
    )
    disabled_at = InstantField(allow_null=True)
    max_in_flight = serializers.IntegerField(help_text="At most so many requests at once.")
    previous_secret_expires_at = InstantField(
        allow_null=True, help_text="Until then requests are signed with the older secret too."
    )
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    def get_disabled_reason(endpoint: Endpoint) -> str | None:
        return endpoint.disabled_reason or None


class EndpointWithSecretSerializer(EndpointSerializer):
    """An endpoint and its secret, which is shown this once."""

    secret = serializers.CharField(help_text="`whsec_…`. Keep it: it is not shown again.")


class EndpointHealthSerializer(ReadSerializer):
    """How an endpoint has fared of late."""

    since = InstantField(help_text="The figures count attempts from here on.")
    attempts = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="0…1; null without attempts.")
    p50_ms = serializers.IntegerField(allow_null=True)
    p95_ms = serializers.IntegerField(allow_null=True)
    waiting = serializers.IntegerField(help_text="Deliveries that wait for their next attempt.")
    held_back_until = InstantField(
        allow_null=True, help_text="Almost everything failed: until then nothing is sent to it."
    )
    last_failure = serializers.DictField(allow_null=True)


class AttemptSerializer(ReadSerializer):
    """One request and its answer."""

    number = serializers.IntegerField()
    trigger = serializers.ChoiceField(choices=Trigger.choices)
    started_at = InstantField()
    finished_at = InstantField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    http_status = serializers.IntegerField(allow_null=True)
    error = serializers.SerializerMethodField(help_text="The error class where no answer came.")
    error_message = serializers.CharField()
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
    """One event on its way to one endpoint."""

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
    next_attempt_at = serializers.SerializerMethodField(help_text="Null once it is settled.")
    delivered_at = InstantField(allow_null=True)
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    def get_error(delivery: Delivery) -> str | None:
        return delivery.last_error or None

    @staticmethod
    def get_next_attempt_at(delivery: Delivery) -> str | None:
        if delivery.status != DeliveryStatus.PENDING:
            return None
        return InstantField().to_representation(delivery.next_attempt_at)


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with what was sent and every attempt."""

    event = serializers.SerializerMethodField(help_text="The body of every request, as JSON.")
    attempts = AttemptSerializer(many=True)

    @staticmethod
    def get_event(delivery: Delivery) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(bytes(delivery.event.body))
        return body


class EventTypeSerializer(ReadSerializer):
    """Something that can happen."""

    name = serializers.CharField()
    meaning = serializers.CharField()
    example = serializers.DictField(help_text="The `data` of such an event.")


# --- Bodies ------------------------------------------------------------------------------------


def _names(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(
        child=TextField(max_length=40), allow_empty=False, max_length=50, **kwargs
    )


class EndpointPatch(WriteSerializer):
    """What can be changed of an endpoint."""

    url = TextField(
        max_length=MAX_URL_LENGTH, required=False, help_text="https, reachable from the Internet."
    )
    description = TextField(max_length=200, required=False, allow_blank=True)
    event_types = _names(
        required=False,
        help_text='Names from `GET /webhooks/event-types`; `["*"]`, the default, is everything.',
    )
    events = _names(required=False, help_text="Another name of `event_types`; give one of both.")
    is_active = TruthField(required=False)
    max_in_flight = WholeNumberField(required=False, min_value=1, max_value=16)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "events" in attrs:
            if "event_types" in attrs:
                raise serializers.ValidationError(
                    {"events": ["Give either event_types or events, not both."]}
                )
            attrs["event_types"] = attrs.pop("events")
        return attrs


class NewEndpoint(EndpointPatch):
    """A new endpoint."""

    url = TextField(max_length=MAX_URL_LENGTH, help_text="https, reachable from the Internet.")


class SecretRotation(WriteSerializer):
    grace_seconds = WholeNumberField(
        required=False,
        default=86_400,
        min_value=0,
        max_value=604_800,
        help_text="How long the old secret signs too: 0 to 7 days; 24 hours if left out.",
    )


class TestEvent(WriteSerializer):
    __test__ = False  # pytest collects by name

    event_type = TextField(max_length=40, help_text="Its example is sent, to this endpoint alone.")


class Recovery(WriteSerializer):
    since = InstantField(help_text="Events from here on.")
    until = InstantField(required=False, help_text="Up to here; until now if left out.")
