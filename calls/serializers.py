"""The shapes of a call: in a list, and alone with its transcript."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from calls.models import Call, Direction, Outcome, Provider, Sentiment, Status
from kaivox.api.fields import InstantField
from kaivox.api.serializers import ReadSerializer, reads


class CallSerializer(ReadSerializer):
    """A call as lists show it."""

    id = serializers.IntegerField()
    provider = serializers.ChoiceField(choices=Provider.choices)
    provider_call_id = serializers.CharField()
    direction = serializers.ChoiceField(choices=Direction.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    from_number = serializers.SerializerMethodField(help_text="E.164; null where withheld.")
    to_number = serializers.SerializerMethodField()
    customer_id = serializers.IntegerField(allow_null=True)
    customer_name = serializers.CharField(source="customer.name", allow_null=True)
    appointment_id = serializers.IntegerField(
        allow_null=True, help_text="The last appointment booked in this call."
    )
    started_at = InstantField()
    ended_at = InstantField(allow_null=True)
    duration_seconds = serializers.IntegerField()
    end_reason = serializers.CharField(help_text="In the words of the provider.")
    outcome = serializers.SerializerMethodField(help_text="Null while the call is in progress.")
    sentiment = serializers.SerializerMethodField(help_text="Of the caller. Null: not known.")
    sentiment_score = serializers.FloatField(allow_null=True, min_value=-1, max_value=1)
    summary = serializers.CharField()
    recording_url = serializers.SerializerMethodField()
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    @reads("from_number")
    def get_from_number(call: Call) -> str | None:
        return call.from_number or None

    @staticmethod
    @reads("to_number")
    def get_to_number(call: Call) -> str | None:
        return call.to_number or None

    @staticmethod
    @reads("outcome")
    def get_outcome(call: Call) -> Outcome | None:
        return call.outcome or None  # type: ignore[return-value]

    @staticmethod
    @reads("sentiment")
    def get_sentiment(call: Call) -> Sentiment | None:
        return call.sentiment or None  # type: ignore[return-value]

    @staticmethod
    @reads("recording_url")
    def get_recording_url(call: Call) -> str | None:
        return call.recording_url or None


class TurnSerializer(ReadSerializer):
    """What one side said, seconds after the call began."""

    speaker = serializers.ChoiceField(choices=["agent", "caller"])
    text = serializers.CharField()
    offset_seconds = serializers.FloatField(min_value=0)


class CallWithTranscript(CallSerializer):
    """A call with its transcript, as it is shown alone and in events."""

    transcript = serializers.SerializerMethodField()

    @staticmethod
    @reads("transcript")
    def get_transcript(call: Call) -> list[dict[str, Any]]:
        return list(call.transcript)
