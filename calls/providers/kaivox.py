"""KaiVox's own voice engine, and others that use its format: see docs/voice.md.

Signed like KaiVox's webhooks, in either of their two formats.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from itertools import islice
from math import isfinite
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from calls.call_report import CallReport, UnparsableMessage, link_of, number_of
from calls.models import CallOutcome, CallStatus, Direction, Sentiment
from calls.providers.incoming import Incoming, same
from calls.transcripts import MAX_TURNS, Turn, turn
from kaivox.api.exceptions import MAX_FIELD_ERRORS
from kaivox.api.fields import (
    NameField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    UtcDateTimeField,
)
from kaivox.api.serializers import WriteSerializer
from kaivox.api.suggestions import unknown_name
from webhooks import signing

_GENERAL: Final = "non_field_errors"
_TURN: Final = frozenset({"speaker", "text", "offset_seconds"})
_LONGEST: Final = 100_000
_DAY: Final = 86_400
_MOST_ERRORS: Final = 20


class NumberField(serializers.FloatField):
    """A JSON number: no string, no `true`, no infinity."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not _is_finite(data):
            self.fail("invalid")
        return float(data)


def _is_finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # an integer that no float holds
        return False


class EngineTurn(WriteSerializer):
    """What one side said."""

    speaker = serializers.ChoiceField(choices=["agent", "caller"])
    text = StrictCharField(allow_blank=True, max_length=_LONGEST)
    offset_seconds = NumberField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=_DAY,
        help_text="Since the call began.",
    )


@extend_schema_field(EngineTurn(many=True))
class TurnsField(serializers.Field):
    """A list of EngineTurn, checked by hand: calls with many turns are most of what comes in, and
    REST framework takes longer over them than all the rest together."""

    def to_internal_value(self, data: Any) -> list[Turn]:
        if not isinstance(data, list) or len(data) > MAX_TURNS:
            raise serializers.ValidationError(f"Write a list of at most {MAX_TURNS} turns.")
        wrong = ((place, said) for place, one in enumerate(data) if (said := _problems(one)))
        problems = dict(islice(wrong, MAX_FIELD_ERRORS))
        if problems:
            raise serializers.ValidationError(problems)  # type: ignore[arg-type]
        return [
            turn(one["speaker"], one["text"], one.get("offset_seconds") or None) for one in data
        ]


def _problems(one: Any) -> dict[str, list[str]]:
    """What is wrong with a turn, by field."""
    if not isinstance(one, dict):
        return {_GENERAL: ["Write an object with speaker and text."]}
    unknown = (name for name in one if name not in _TURN)
    found = {
        name[:100]: [unknown_name(name, _TURN, noun="field")]
        for name in islice(unknown, MAX_FIELD_ERRORS)
    }
    if one.get("speaker") not in ("agent", "caller"):
        found["speaker"] = ["Write agent or caller."]
    if not isinstance(one.get("text"), str) or len(one["text"]) > _LONGEST:
        found["text"] = [f"Write a text of at most {_LONGEST} characters."]
    offset = one.get("offset_seconds")
    if offset is None or offset == "":
        return found
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0 <= offset <= _DAY:
        found["offset_seconds"] = [f"Write seconds from 0 to {_DAY}."]
    return found


_OPTIONAL: Final[dict[str, Any]] = {"required": False, "allow_null": True}
_TEXT: Final[dict[str, Any]] = {**_OPTIONAL, "allow_blank": True}


class EngineCall(WriteSerializer):
    """What is known of a call at this moment. Send it as often as you like: when it starts, when it
    ends, when it is analysed. What is left out, null or empty stays as it was reported before."""

    call_id = StrictCharField(
        max_length=200, help_text="Yours; the same in every message of one call."
    )
    status = serializers.ChoiceField(choices=CallStatus.choices)
    direction = serializers.ChoiceField(choices=Direction.choices, **_TEXT)
    from_number = StrictCharField(max_length=200, help_text="`anonymous`: withheld.", **_TEXT)
    to_number = StrictCharField(max_length=200, **_TEXT)
    caller_name = NameField(max_length=200, **_TEXT)
    started_at = UtcDateTimeField(**_OPTIONAL)
    ended_at = UtcDateTimeField(**_OPTIONAL)
    duration_seconds = StrictIntegerField(min_value=0, max_value=_DAY, **_OPTIONAL)
    end_reason = StrictCharField(max_length=100, **_TEXT)
    outcome = serializers.ChoiceField(choices=CallOutcome.choices, **_TEXT)
    sentiment = serializers.ChoiceField(choices=Sentiment.choices, **_TEXT)
    sentiment_score = NumberField(
        min_value=-1, max_value=1, help_text="Only with a `sentiment`.", **_OPTIONAL
    )
    summary = StrictCharField(max_length=100_000, **_TEXT)
    recording_url = StrictCharField(max_length=2000, **_TEXT)
    transcript = TurnsField(**_OPTIONAL)
    analysis_follows = StrictBooleanField(
        help_text="Sentiment and summary come in a later message; wait for them.", **_OPTIONAL
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            # One rule for every optional field: null and "" mean that nothing is known.
            data = {
                name: value
                for name, value in data.items()
                if name in ("call_id", "status") or not (value is None or value == "")
            }
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "sentiment_score" in attrs and "sentiment" not in attrs:
            raise serializers.ValidationError({"sentiment_score": ["Send the sentiment with it."]})
        return attrs

    def validate_recording_url(self, value: str) -> str:
        if not link_of(value):
            raise serializers.ValidationError("Write an http or https address.")
        return value


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    ours = incoming.header("X-KaiVox-Signature")
    if ours:
        return signing.verify(incoming.body, ours, secret, now=now.timestamp())
    return _is_signed_by_standard(incoming, secret, now)


def _is_signed_by_standard(incoming: Incoming, secret: str, now: datetime) -> bool:
    """Standard Webhooks 1.0; its secrets are `whsec_` and base64."""
    stamp, signatures = incoming.header("webhook-timestamp"), incoming.header("webhook-signature")
    fresh = (
        stamp.isascii()
        and stamp.isdigit()
        and len(stamp) < 16
        and abs(now.timestamp() - int(stamp)) <= 300
    )
    if not fresh or not secret.startswith("whsec_"):
        return False
    try:
        expected = signing.signature_headers(
            incoming.body,
            event_id=incoming.header("webhook-id"),
            timestamp=int(stamp),
            secrets=[secret],
        )["webhook-signature"]
    except ValueError:  # what follows `whsec_` is not base64: the account's other signature works
        return False
    return any(same(signature, expected) for signature in signatures.split())


def read(incoming: Incoming) -> CallReport:
    return report_of(incoming.json(bounded=True))


def report_of(payload: dict[str, Any]) -> CallReport:
    """Raises UnparsableMessage, which names each wrong field."""
    try:
        fields = _serializer().run_validation(payload)
    except serializers.ValidationError as error:
        lines = _error_lines(error.detail)
        errors: dict[str, list[str]] = {}
        for path, message in lines[:_MOST_ERRORS]:
            errors.setdefault(path, []).append(message)
        text = "; ".join(f"{path}: {message}" for path, message in lines[:_MOST_ERRORS])
        raise UnparsableMessage(text[:1000], errors=errors) from error
    return CallReport(
        provider_call_id=fields["call_id"],
        status=fields["status"],
        direction=fields.get("direction", ""),
        from_number=number_of(fields.get("from_number")),
        to_number=number_of(fields.get("to_number")),
        caller_name=fields.get("caller_name", ""),
        started_at=fields.get("started_at"),
        ended_at=fields.get("ended_at"),
        duration_seconds=fields.get("duration_seconds"),
        end_reason=fields.get("end_reason", ""),
        outcome=fields.get("outcome") or "",
        sentiment=fields.get("sentiment") or "",
        sentiment_score=fields.get("sentiment_score"),
        summary=fields.get("summary", ""),
        recording_url=link_of(fields.get("recording_url")),
        turns=fields.get("transcript", ()),
        more_to_come=fields.get("analysis_follows", False),
    )


@cache
def _serializer() -> EngineCall:
    """One instance for all messages: creating one copies each field, and it holds no state."""
    return EngineCall()


def _error_lines(errors: Any, path: str = "") -> list[tuple[str, str]]:
    """`("transcript.3.speaker", "…")` for each error, however deep."""
    if isinstance(errors, dict):
        return [
            line
            for name, inner in errors.items()
            for line in _error_lines(
                inner, path if name == _GENERAL else f"{path}.{name}".strip(".")
            )
        ]
    return [(path, " ".join(map(str, errors)))]
