"""Serializers of a call: in a list, and alone with its transcript."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from calls.models import Call, CallOutcome, CallStatus, Direction, Provider, Sentiment
from kaivox.api.fields import UtcDateTimeField
from kaivox.api.serializers import ReadSerializer, depends_on, whole_as_integer


class CallSerializer(ReadSerializer):
    """A call as lists show it."""

    field_scopes = {"customer_name": "customers:read"}

    id = serializers.IntegerField()
    provider = serializers.CharField(
        help_text=f"One of {', '.join(Provider.values)}, or the name that an import gave."
    )
    provider_call_id = serializers.CharField()
    direction = serializers.ChoiceField(choices=Direction.choices)
    status = serializers.ChoiceField(choices=CallStatus.choices)
    from_number = serializers.SerializerMethodField(help_text="E.164; null where withheld.")
    to_number = serializers.SerializerMethodField()
    customer_id = serializers.IntegerField(allow_null=True)
    customer_name = serializers.CharField(
        source="customer.name",
        allow_null=True,
        help_text="Null without a customer, or without `customers:read`.",
    )
    appointment_id = serializers.IntegerField(
        allow_null=True, help_text="The last appointment booked in this call."
    )
    started_at = UtcDateTimeField()
    ended_at = UtcDateTimeField(allow_null=True)
    duration_seconds = serializers.IntegerField()
    end_reason = serializers.CharField(help_text="In the words of the provider.")
    outcome = serializers.SerializerMethodField(help_text="Null while the call is in progress.")
    sentiment = serializers.SerializerMethodField(help_text="Of the caller. Null: not known.")
    sentiment_score = serializers.FloatField(allow_null=True, min_value=-1, max_value=1)
    summary = serializers.CharField()
    recording_url = serializers.SerializerMethodField()
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("from_number")
    def get_from_number(call: Call) -> str | None:
        return call.from_number or None

    @staticmethod
    @depends_on("to_number")
    def get_to_number(call: Call) -> str | None:
        return call.to_number or None

    @staticmethod
    @depends_on("outcome")
    def get_outcome(call: Call) -> CallOutcome | None:
        return call.outcome or None  # type: ignore[return-value]

    @staticmethod
    @depends_on("sentiment")
    def get_sentiment(call: Call) -> Sentiment | None:
        return call.sentiment or None  # type: ignore[return-value]

    @staticmethod
    @depends_on("recording_url")
    def get_recording_url(call: Call) -> str | None:
        return call.recording_url or None


class TurnSerializer(ReadSerializer):
    """What one side said, seconds after the call began."""

    speaker = serializers.ChoiceField(choices=["agent", "caller"])
    text = serializers.CharField()
    offset_seconds = serializers.FloatField(min_value=0, help_text="Seconds after the call began.")


class CallWithTranscript(CallSerializer):
    """A call with its transcript, as it is shown alone and in events."""

    transcript = serializers.SerializerMethodField()

    @staticmethod
    @extend_schema_field(TurnSerializer(many=True))
    @depends_on("transcript")
    def get_transcript(call: Call) -> list[dict[str, Any]]:
        # Written out: PostgreSQL's jsonb does not preserve the order of keys.
        return [
            {
                "speaker": one["speaker"],
                "text": one["text"],
                "offset_seconds": whole_as_integer(one["offset_seconds"]),
            }
            for one in call.transcript
        ]
