"""Vapi: the server messages `status-update` and `end-of-call-report`.

docs.vapi.ai/server-url/events, /end-of-call-report and /server-authentication (November 2026). The
server secret arrives as `X-Vapi-Secret` or as a bearer token, or signs the body (HMAC-SHA256, hex,
`X-Vapi-Signature`), as the credential in Vapi's dashboard is set up.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from calls.models import Direction, Outcome, Sentiment, Status
from calls.providers.incoming import Incoming, items_of, mapping_of, number_of_seconds, same
from calls.report import CallReport, instant_of, link_of, number_of, text_of, whole_seconds
from calls.transcripts import Turn, turn

_SPEAKER: Final = {"bot": "agent", "assistant": "agent", "user": "caller"}
_NOBODY_CAME: Final = frozenset(
    {"customer-busy", "customer-did-not-answer", "customer-did-not-give-microphone-permission"}
    | {"twilio-failed-to-connect-call", "vonage-failed-to-connect-call", "vonage-rejected"}
    | {"assistant-join-timed-out", "vonage-disconnected", "customer-out-of-reach"}
)


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    bearer = incoming.header("Authorization").partition(" ")
    given = incoming.header("X-Vapi-Secret") or (bearer[2] if bearer[0].lower() == "bearer" else "")
    if given:
        return same(given.strip(), secret)
    signature = incoming.header("X-Vapi-Signature").removeprefix("sha256=")
    return same(signature, hmac.digest(secret.encode(), incoming.body, "sha256").hex())


def read(incoming: Incoming) -> CallReport | None:
    message = mapping_of(incoming.json().get("message"))
    kind = message.get("type")
    if kind == "status-update":
        return _read_status(message)
    return _read_report(message) if kind == "end-of-call-report" else None


def _read_status(message: Mapping[str, Any]) -> CallReport | None:
    if message.get("status") in ("queued", "scheduled"):
        return None
    if message.get("status") != "ended":
        return CallReport(status=Status.IN_PROGRESS, **_facts(message))
    reason = text_of(message.get("endedReason"), 100)
    facts = _facts(message)
    # The report follows within seconds, with what was said.
    return CallReport(
        status=_end(reason, spoke=True, inbound=facts["direction"] != Direction.OUTBOUND),
        end_reason=reason,
        more_to_come=True,
        **facts,
    )


def _read_report(message: Mapping[str, Any]) -> CallReport:
    artifact = mapping_of(message.get("artifact"))
    analysis = mapping_of(message.get("analysis"))
    found = mapping_of(analysis.get("structuredData"))
    reason = text_of(message.get("endedReason"), 100)
    turns = _turns(artifact.get("messages") or message.get("messages"))
    turns = turns or _turns_of_text(artifact.get("transcript") or message.get("transcript"))
    facts = _facts(message)
    spoke = any(one["speaker"] == "caller" for one in turns)
    sentiment = text_of(found.get("sentiment")).lower()
    return CallReport(
        status=_end(reason, spoke=spoke, inbound=facts["direction"] != Direction.OUTBOUND),
        ended_at=instant_of(message.get("endedAt")),
        duration_seconds=whole_seconds(message.get("durationSeconds")),
        end_reason=reason,
        outcome=_outcome(reason, text_of(found.get("outcome")).lower()),
        sentiment=sentiment if sentiment in Sentiment.values else "",
        summary=text_of(analysis.get("summary") or message.get("summary")),
        recording_url=link_of(artifact.get("recordingUrl") or message.get("recordingUrl")),
        turns=turns,
        **facts,
    )


def _facts(message: Mapping[str, Any]) -> dict[str, Any]:
    """What every message says of the call."""
    call = mapping_of(message.get("call"))
    customer = mapping_of(message.get("customer") or call.get("customer"))
    ours = mapping_of(message.get("phoneNumber") or call.get("phoneNumber"))
    outbound = call.get("type") == "outboundPhoneCall"
    theirs, own = number_of(customer.get("number")), number_of(ours.get("number"))
    return {
        "provider_call_id": text_of(call.get("id"), 201),
        "direction": Direction.OUTBOUND if outbound else Direction.INBOUND,
        "from_number": own if outbound else theirs,
        "to_number": theirs if outbound else own,
        "caller_name": text_of(customer.get("name"), 200),
        "started_at": instant_of(message.get("startedAt") or call.get("startedAt")),
    }


def _end(reason: str, *, spoke: bool, inbound: bool) -> Status:
    if reason in _NOBODY_CAME or "failed-to-connect" in reason:
        return Status.MISSED
    if "error" in reason and not spoke:
        # Somebody called and nobody answered them: for the business that is a missed call.
        return Status.MISSED if inbound else Status.FAILED
    return Status.COMPLETED


def _outcome(reason: str, told: str) -> str:
    if reason == "voicemail":
        return Outcome.VOICEMAIL
    return told if told in Outcome.values else ""


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


def _turns_of_text(transcript: Any) -> list[Turn]:
    """`AI: Hello.\\nUser: Hi.`; the times are not known."""
    return list(_spoken_lines(text_of(transcript, 1_000_000).splitlines()))


def _spoken_lines(lines: Iterable[str]) -> Iterable[Turn]:
    for line in lines:
        who, colon, what = line.partition(":")
        speaker = {"ai": "agent", "assistant": "agent", "bot": "agent", "user": "caller"}.get(
            who.strip().lower()
        )
        if colon and speaker:
            yield turn(speaker, what, None)
