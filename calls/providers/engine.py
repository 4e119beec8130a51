"""KaiVox's own voice engine, and whoever speaks its format: see docs/voice.md.

Signed like our webhooks, in either of their two forms.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from calls.models import Direction, Outcome, Sentiment, Status
from calls.providers.incoming import Incoming, same
from calls.report import CallReport, Unreadable, link_of, number_of
from calls.transcripts import MAX_TURNS, Turn, turn
from kaivox.api.fields import InstantField, TextField, TruthField, WholeNumberField
from kaivox.api.serializers import WriteSerializer
from webhooks import signing

_GENERAL: Final = "non_field_errors"
_TURN: Final = frozenset({"speaker", "text", "offset_seconds"})
_LONGEST: Final = 100_000
_DAY: Final = 86_400


class EngineTurn(WriteSerializer):
    """What one side said."""

    speaker = serializers.ChoiceField(choices=["agent", "caller"])
    text = TextField(allow_blank=True, max_length=_LONGEST)
    offset_seconds = serializers.FloatField(
        required=False, min_value=0, max_value=_DAY, help_text="Since the call began."
    )


@extend_schema_field(EngineTurn(many=True))
class TurnsField(serializers.Field):
    """A list of EngineTurn, checked by hand: calls with many turns are most of what comes in, and
    REST framework takes longer over them than all the rest together."""

    def to_internal_value(self, data: Any) -> list[Turn]:
        if not isinstance(data, list) or len(data) > MAX_TURNS:
            raise serializers.ValidationError(f"Write a list of at most {MAX_TURNS} turns.")
        problems = {place: said for place, one in enumerate(data) if (said := _problems(one))}
        if problems:
            raise serializers.ValidationError(problems)  # type: ignore[arg-type]
        return [turn(one["speaker"], one["text"], one.get("offset_seconds")) for one in data]


def _problems(one: Any) -> dict[str, list[str]]:
    """What is wrong with a turn, by field."""
    if not isinstance(one, dict):
        return {_GENERAL: ["Write an object with speaker and text."]}
    found = {name: ["There is no such field here."] for name in one if name not in _TURN}
    if one.get("speaker") not in ("agent", "caller"):
        found["speaker"] = ["Write agent or caller."]
    if not isinstance(one.get("text"), str) or len(one["text"]) > _LONGEST:
        found["text"] = [f"Write a text of at most {_LONGEST} characters."]
    offset = one.get("offset_seconds", 0)
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0 <= offset <= _DAY:
        found["offset_seconds"] = [f"Write seconds from 0 to {_DAY}."]
    return found


class EngineCall(WriteSerializer):
    """What is known of a call at this moment. Tell it as often as you like: when it starts, when it
    ends, when it is analysed. What is left out stays as it was told before."""

    call_id = TextField(max_length=200, help_text="Yours; the same in every message of one call.")
    status = serializers.ChoiceField(choices=Status.choices)
    direction = serializers.ChoiceField(choices=Direction.choices, required=False)
    from_number = TextField(
        max_length=200, required=False, allow_null=True, help_text="Null or `anonymous`: withheld."
    )
    to_number = TextField(max_length=200, required=False, allow_null=True)
    caller_name = TextField(max_length=200, required=False, allow_blank=True)
    started_at = InstantField(required=False)
    ended_at = InstantField(required=False, allow_null=True)
    duration_seconds = WholeNumberField(min_value=0, max_value=86_400, required=False)
    end_reason = TextField(max_length=100, required=False, allow_blank=True)
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False, allow_null=True)
    sentiment = serializers.ChoiceField(choices=Sentiment.choices, required=False, allow_null=True)
    sentiment_score = serializers.FloatField(
        min_value=-1, max_value=1, required=False, allow_null=True
    )
    summary = TextField(max_length=100_000, required=False, allow_blank=True)
    recording_url = TextField(max_length=2000, required=False, allow_null=True)
    transcript = TurnsField(required=False)
    analysis_follows = TruthField(
        required=False, help_text="Sentiment and summary come in a later message; wait for them."
    )


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    ours = incoming.header("X-KaiVox-Signature")
    if ours:
        return signing.verify(incoming.body, ours, secret, now=now.timestamp())
    return _is_signed_by_standard(incoming, secret, now)


def _is_signed_by_standard(incoming: Incoming, secret: str, now: datetime) -> bool:
    """Standard Webhooks 1.0; its secrets are `whsec_` and base64."""
    stamp, given = incoming.header("webhook-timestamp"), incoming.header("webhook-signature")
    fresh = stamp.isascii() and stamp.isdigit() and abs(now.timestamp() - int(stamp)) <= 300
    if not fresh or not secret.startswith("whsec_"):
        return False
    expected = signing.signature_headers(
        incoming.body,
        event_id=incoming.header("webhook-id"),
        timestamp=int(stamp),
        secrets=[secret],
    )["webhook-signature"]
    return any(same(signature, expected) for signature in given.split())


def read(incoming: Incoming) -> CallReport:
    return report_of(incoming.json())


def report_of(payload: dict[str, Any]) -> CallReport:
    """Raises Unreadable, which names each wrong field."""
    try:
        told = _checker().run_validation(payload)
    except serializers.ValidationError as error:
        raise Unreadable("; ".join(_complaints(error.detail))[:1000]) from error
    return CallReport(
        provider_call_id=told["call_id"],
        status=told["status"],
        direction=told.get("direction", ""),
        from_number=number_of(told.get("from_number")),
        to_number=number_of(told.get("to_number")),
        caller_name=told.get("caller_name", ""),
        started_at=told.get("started_at"),
        ended_at=told.get("ended_at"),
        duration_seconds=told.get("duration_seconds"),
        end_reason=told.get("end_reason", ""),
        outcome=told.get("outcome") or "",
        sentiment=told.get("sentiment") or "",
        sentiment_score=told.get("sentiment_score"),
        summary=told.get("summary", ""),
        recording_url=link_of(told.get("recording_url")),
        turns=told.get("transcript", ()),
        more_to_come=told.get("analysis_follows", False),
    )


@cache
def _checker() -> EngineCall:
    """One for all messages: to make it anew copies each of its fields, and it remembers nothing."""
    return EngineCall()


def _complaints(errors: Any, path: str = "") -> list[str]:
    """`transcript.3.speaker: …` for each error, however deep."""
    if isinstance(errors, dict):
        return [
            line
            for name, inner in errors.items()
            for line in _complaints(
                inner, path if name == _GENERAL else f"{path}.{name}".strip(".")
            )
        ]
    return [f"{path}: {' '.join(map(str, errors))}"]
