"""Retell: the webhooks `call_started`, `call_ended` and `call_analyzed`.

docs.retellai.com/features/webhook-overview and /api-references/get-call (November 2026).
`X-Retell-Signature: v=<Unix milliseconds>,d=<hex>`, HMAC-SHA256 over the body and that number,
under the API key. `call_analyzed` repeats the whole call and adds sentiment and summary.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from calls.call_report import (
    CallReport,
    choice_of,
    instant_of,
    link_of,
    number_of,
    text_of,
    whole_seconds,
)
from calls.models import CallOutcome, CallStatus, Direction, Sentiment
from calls.providers.end_reasons import status_of
from calls.providers.incoming import Incoming, items_of, mapping_of, number_of_seconds, same
from calls.transcripts import Turn, turn, turns_of_text

TOLERANCE: Final = timedelta(minutes=5)
_SIGNATURE = re.compile(r"v=(\d{1,16}),d=([0-9a-f]{64})", re.ASCII)
# `transfer_target`: the person to whom the call was handed over.
_SPEAKER: Final = {"agent": "agent", "user": "caller", "transfer_target": "agent"}


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    found = _SIGNATURE.fullmatch(incoming.header("X-Retell-Signature"))
    if found is None or abs(now.timestamp() - int(found[1]) / 1000) > TOLERANCE.total_seconds():
        return False
    signed = incoming.body + found[1].encode()
    return same(found[2], hmac.digest(secret.encode(), signed, "sha256").hex())


def read(incoming: Incoming) -> CallReport | None:
    payload = incoming.json()
    call, event = mapping_of(payload.get("call")), payload.get("event")
    if event not in ("call_started", "call_ended", "call_analyzed"):
        return None
    if event == "call_started":
        return CallReport(status=CallStatus.IN_PROGRESS, **_facts(call))
    return _read_end(call, analyzed=event == "call_analyzed")


def _read_end(call: Mapping[str, Any], *, analyzed: bool) -> CallReport:
    analysis = mapping_of(call.get("call_analysis"))
    reason = text_of(call.get("disconnection_reason"), 100)
    turns = _turns_of_call(call)
    facts = _facts(call)
    heard = any(one["speaker"] == "caller" for one in turns)
    milliseconds = number_of_seconds(call.get("duration_ms"))
    return CallReport(
        status=status_of(
            "retell", reason, heard=heard, inbound=facts["direction"] != Direction.OUTBOUND
        ),
        ended_at=instant_of(call.get("end_timestamp")),
        duration_seconds=whole_seconds(None if milliseconds is None else milliseconds / 1000),
        end_reason=reason,
        outcome=_outcome(reason, analysis),
        sentiment=choice_of(analysis.get("user_sentiment"), Sentiment.values),
        summary=text_of(analysis.get("call_summary")),
        recording_url=link_of(call.get("scrubbed_recording_url") or call.get("recording_url")),
        turns=turns,
        more_to_come=not analyzed,
        **facts,
    )


def _facts(call: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider_call_id": text_of(call.get("call_id"), 201),
        "direction": choice_of(call.get("direction"), Direction.values),
        "from_number": number_of(call.get("from_number")),
        "to_number": number_of(call.get("to_number")),
        "started_at": instant_of(call.get("start_timestamp")),
    }


def _outcome(reason: str, analysis: Mapping[str, Any]) -> str:
    if reason in ("voicemail_reached", "machine_detected") or analysis.get("in_voicemail") is True:
        return CallOutcome.VOICEMAIL
    values = mapping_of(analysis.get("custom_analysis_data"))
    return choice_of(values.get("outcome"), CallOutcome.values)


def _turns_of_call(call: Mapping[str, Any]) -> list[Turn]:
    """What was said, without personal data where the account's storage setting removes it; of
    the text alone where Retell sends no more."""
    for name in (
        "scrubbed_transcript_with_tool_calls",
        "transcript_object",
        "transcript_with_tool_calls",
    ):
        if turns := _turns(call.get(name)):
            return turns
    return turns_of_text(text_of(call.get("transcript"), 1_000_000))


def _turns(transcript: Any) -> list[Turn]:
    return [
        turn(_SPEAKER[str(one["role"])], text_of(one.get("content")), _begin(one))
        for one in items_of(transcript)
        if one.get("role") in _SPEAKER
    ]


def _begin(one: Mapping[str, Any]) -> float | None:
    words = items_of(one.get("words"))
    return number_of_seconds(words[0].get("start")) if words else None
