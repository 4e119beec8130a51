"""Twilio: status callbacks of calls and recordings, answering machine detection, transcriptions.

www.twilio.com/docs/voice/twiml#status-callbacks and /usage/webhooks/webhooks-security (November
2026). A form; `X-Twilio-Signature` = base64 of HMAC-SHA1 over the URL and the sorted fields, under
the account's auth token. `StirVerstat` says
whether the caller's number is theirs: one that failed the check is linked to no customer.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from calls.call_report import (
    CallReport,
    UnparsableMessage,
    Utterance,
    instant_of,
    link_of,
    name_of,
    number_of,
    text_of,
    whole_seconds,
)
from calls.models import CallOutcome, CallStatus, Direction
from calls.providers.end_reasons import is_known, kind_of
from calls.providers.incoming import Incoming, mapping_of, same
from calls.transcripts import Turn, turn
from kaivox.api.values import parse_mail_date

# Recorded or spoken to a machine: `AnsweredBy` of answering machine detection.
_MACHINE: Final = ("machine", "fax")
_TRACK: Final = {"inbound_track": "caller", "outbound_track": "agent"}


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    signature = incoming.header("X-Twilio-Signature")
    try:
        pairs = incoming.pairs()
    except UnparsableMessage:
        return False  # what is signed are the fields of a form
    fields = "".join(name + value for name, value in sorted(set(pairs)))
    return any(
        same(signature, _sign(secret, url + fields))
        for url in _with_and_without_port(incoming.urls)
    )


def _sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode("ascii")


def _with_and_without_port(urls: Iterable[str]) -> Iterable[str]:
    """Twilio signs some addresses with their standard port and some without."""
    for url in urls:
        yield url
        parts = urlsplit(url)
        port = 443 if parts.scheme == "https" else 80
        host = parts.hostname or ""
        netloc = f"{host}:{port}" if parts.port is None else host
        yield urlunsplit(parts._replace(netloc=netloc))


def read(incoming: Incoming) -> CallReport | None:
    form = incoming.form()
    if form.keys().isdisjoint(_CALL_FIELDS):
        return None
    status = form.get("CallStatus", "").lower()
    kind = _status_of(status)
    ends = bool(status) and kind != CallStatus.IN_PROGRESS
    reported_at = _parse_time(form.get("Timestamp", ""))
    return CallReport(
        provider_call_id=text_of(form.get("CallSid"), 201),
        status=kind,
        direction=_direction(form.get("Direction", "")),
        from_number=number_of(form.get("From")),
        to_number=number_of(form.get("To")),
        caller_name=name_of(form.get("CallerName")),
        caller_doubtful=form.get("StirVerstat", "").startswith("TN-Validation-Failed"),
        ended_at=reported_at if ends else None,
        started_at=reported_at if status == "in-progress" else None,
        duration_seconds=whole_seconds(form.get("CallDuration")) if ends else None,
        end_reason=status if ends else "",
        outcome=CallOutcome.VOICEMAIL if form.get("AnsweredBy", "").startswith(_MACHINE) else "",
        recording_url=link_of(form.get("RecordingUrl")),
        turns=_turns(form),
        utterance=_utterance(form),
    )


# A message with any of these fields is about a call.
_CALL_FIELDS: Final = frozenset(
    {"CallStatus", "RecordingUrl", "AnsweredBy", "TranscriptionText", "TranscriptionEvent"}
)


def _status_of(status: str) -> str:
    """Raises UnparsableMessage."""
    if not status:
        return ""
    if not is_known("twilio", status):
        raise UnparsableMessage(f"CallStatus {status[:40]!r} is not one of Twilio's.")
    return kind_of("twilio", status)


def _turns(form: Mapping[str, str]) -> list[Turn]:
    """The transcription of a recording: what the caller left on it, as one text."""
    text = text_of(form.get("TranscriptionText"))
    return [turn("caller", text, None)] if text else []


def _utterance(form: Mapping[str, str]) -> Utterance | None:
    """One final sentence of a real-time transcription. Raises UnparsableMessage."""
    final = form.get("Final", "true").lower() == "true"
    if form.get("TranscriptionEvent") != "transcription-content" or not final:
        return None
    try:
        text = text_of(mapping_of(json.loads(form.get("TranscriptionData", ""))).get("transcript"))
    except (ValueError, RecursionError) as error:
        raise UnparsableMessage("TranscriptionData is not JSON.") from error
    speaker = _TRACK.get(form.get("Track", ""))
    sequence = form.get("SequenceId", "")
    if not text or speaker is None or not re.fullmatch(r"\d{1,9}", sequence, re.ASCII):
        return None
    return Utterance(int(sequence), speaker, text, instant_of(form.get("Timestamp")))


def _direction(text: str) -> str:
    """`inbound`, `outbound-api`, `outbound-dial`."""
    if not text:
        return ""
    return Direction.OUTBOUND if text.startswith("outbound") else Direction.INBOUND


def _parse_time(text: str) -> datetime | None:
    """RFC 2822, as Twilio writes times; anything else is unknown rather than an error."""
    try:
        return parse_mail_date(text) if text else None
    except ValueError:
        return None
