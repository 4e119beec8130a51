"""Vapi: the server messages `status-update` and `end-of-call-report`.

docs.vapi.ai/server-url/events, /end-of-call-report and /server-authentication (November 2026). The
server secret arrives as `X-Vapi-Secret` or as a bearer token, or signs the body (HMAC-SHA256), as the
credential in Vapi's dashboard is set up: `X-Signature` over `{X-Timestamp}.{body}`, which are its
defaults, or `X-Vapi-Signature` over the body alone.
"""

from __future__ import annotations

import base64
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
    name_of,
    number_of,
    text_of,
    whole_seconds,
)
from calls.models import CallOutcome, CallStatus, Direction, Sentiment
from calls.providers.end_reasons import BROKEN, kind_of, status_of
from calls.providers.incoming import Incoming, items_of, mapping_of, number_of_seconds, same
from calls.transcripts import Turn, turn, turns_of_text

_SPEAKER: Final = {"bot": "agent", "assistant": "agent", "user": "caller"}
TOLERANCE: Final = timedelta(minutes=5)
_FOUND: Final = ("sentiment", "outcome", "summary")


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    token = incoming.header("X-Vapi-Secret").strip() or incoming.bearer_token()
    if token:
        return same(token, secret)
    return _is_hmac_of(incoming.header("X-Vapi-Signature"), incoming.body, secret) or (
        _is_signed_with_time(incoming, secret, now)
    )


def _is_signed_with_time(incoming: Incoming, secret: str, now: datetime) -> bool:
    """The defaults of an HMAC credential: `x-signature` over `{timestamp}.{body}`."""
    stamp = incoming.header("X-Timestamp")
    if not re.fullmatch(r"\d{1,16}", stamp, re.ASCII):
        return False
    seconds = int(stamp) / (1000 if len(stamp) > 11 else 1)
    if abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
        return False
    return _is_hmac_of(incoming.header("X-Signature"), f"{stamp}.".encode() + incoming.body, secret)


def _is_hmac_of(signature: str, signed: bytes, secret: str) -> bool:
    """SHA-256 in hex or base64, with or without its name before it."""
    if not signature:
        return False
    digest = hmac.digest(secret.encode(), signed, "sha256")
    signature = signature.removeprefix("sha256=")
    return same(signature, digest.hex()) or same(
        signature, base64.b64encode(digest).decode("ascii")
    )


def read(incoming: Incoming) -> CallReport | None:
    message = mapping_of(incoming.json().get("message"))
    kind = message.get("type")
    if kind == "status-update":
        return _read_status(message)
    return _read_report(message) if kind == "end-of-call-report" else None


def _read_status(message: Mapping[str, Any]) -> CallReport | None:
    if message.get("status") in ("queued", "scheduled", "not-found", "deletion-failed"):
        return None
    facts = _facts(message)
    reason = text_of(message.get("endedReason"), 100)
    if message.get("status") != "ended" or kind_of("vapi", reason) == BROKEN:
        # Whether the caller was heard before an error is in the report, which follows in seconds.
        return CallReport(status=CallStatus.IN_PROGRESS, **facts)
    return CallReport(
        status=CallStatus(kind_of("vapi", reason)), end_reason=reason, more_to_come=True, **facts
    )


def _read_report(message: Mapping[str, Any]) -> CallReport:
    artifact, call = mapping_of(message.get("artifact")), mapping_of(message.get("call"))
    found = _found(message, artifact)
    reason = text_of(message.get("endedReason") or call.get("endedReason"), 100)
    turns = _turns(artifact.get("messages") or message.get("messages"))
    text = artifact.get("transcript") or message.get("transcript")
    turns = turns or turns_of_text(text_of(text, 1_000_000))
    facts = _facts(message)
    heard = any(one["speaker"] == "caller" for one in turns)
    inbound = facts["direction"] != Direction.OUTBOUND
    return CallReport(
        status=status_of("vapi", reason, heard=heard, inbound=inbound),
        ended_at=instant_of(message.get("endedAt") or call.get("endedAt")),
        duration_seconds=whole_seconds(message.get("durationSeconds")),
        end_reason=reason,
        outcome=_outcome(reason, found.get("outcome")),
        sentiment=choice_of(found.get("sentiment"), Sentiment.values),
        summary=text_of(found.get("summary")),
        recording_url=_recording(message, artifact),
        turns=turns,
        **facts,
    )


def _found(message: Mapping[str, Any], artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sentiment, outcome and summary, of the analysis plan or of structured outputs: those have one
    object with such keys, or one of them as their name."""
    analysis = mapping_of(message.get("analysis"))
    found = dict(mapping_of(analysis.get("structuredData")))
    found["summary"] = analysis.get("summary") or message.get("summary")
    for output in mapping_of(artifact.get("structuredOutputs")).values():
        name = text_of(mapping_of(output).get("name")).lower()
        result = mapping_of(output).get("result")
        values = result if isinstance(result, dict) else {name: result}
        for key in _FOUND:
            found[key] = found.get(key) or values.get(key)
    return found


def _recording(message: Mapping[str, Any], artifact: Mapping[str, Any]) -> str:
    recording = mapping_of(artifact.get("recording"))
    mono = mapping_of(recording.get("mono"))
    return link_of(
        artifact.get("recordingUrl")
        or message.get("recordingUrl")
        or mono.get("combinedUrl")
        or recording.get("stereoUrl")
    )


def _facts(message: Mapping[str, Any]) -> dict[str, Any]:
    """What every message says of the call."""
    call = mapping_of(message.get("call"))
    customer = mapping_of(message.get("customer") or call.get("customer"))
    ours = mapping_of(message.get("phoneNumber") or call.get("phoneNumber"))
    outbound = call.get("type") == "outboundPhoneCall"
    theirs = number_of(customer.get("number") or customer.get("sipUri"))
    own = number_of(ours.get("number") or ours.get("sipUri"))
    return {
        "provider_call_id": text_of(call.get("id"), 201),
        "direction": Direction.OUTBOUND if outbound else Direction.INBOUND,
        "from_number": own if outbound else theirs,
        "to_number": theirs if outbound else own,
        "caller_name": name_of(customer.get("name")),
        "started_at": instant_of(message.get("startedAt") or call.get("startedAt")),
    }


def _outcome(reason: str, outcome: Any) -> str:
    if reason == "voicemail":
        return CallOutcome.VOICEMAIL
    return choice_of(outcome, CallOutcome.values)


def _turns(messages: Any) -> list[Turn]:
    return [
        turn(
            _SPEAKER[str(one["role"])],
            text_of(one.get("message") or one.get("content")),
            number_of_seconds(one.get("secondsFromStart")),
        )
        for one in items_of(messages)
        if one.get("role") in _SPEAKER
    ]
