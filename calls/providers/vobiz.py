"""Vobiz: answer and hangup callbacks.

docs.vobiz.ai/xml/request and /concepts/validating-callbacks (November 2026). A form, or the same
fields as JSON, in either spelling. `X-Vobiz-Signature-V3` = base64 of HMAC-SHA256 over the address
without its query, a dot and the nonce, under the auth token; V2 has no dot. The body itself is not
signed, so a nonce that came with one body is rejected with another; let Vobiz call over HTTPS only.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from calls.call_report import (
    CallReport,
    UnparsableMessage,
    instant_of,
    link_of,
    number_of,
    text_of,
    whole_seconds,
)
from calls.models import CallStatus, Direction
from calls.providers.incoming import Incoming, same

_STATUS: Final = {
    "ringing": CallStatus.IN_PROGRESS,
    "early": CallStatus.IN_PROGRESS,
    "in-progress": CallStatus.IN_PROGRESS,
    "answered": CallStatus.IN_PROGRESS,
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.MISSED,
    "failed": CallStatus.MISSED,
    "timeout": CallStatus.MISSED,
    "no-answer": CallStatus.MISSED,
    "cancel": CallStatus.MISSED,
    "canceled": CallStatus.MISSED,
    "cancelled": CallStatus.MISSED,
    "missed": CallStatus.MISSED,
}

# Causes (ITU-T Q.850, as FreeSWITCH names them) of calls that were not answered, whatever their status.
_NOT_TAKEN: Final = frozenset(
    {"NO_ANSWER", "NO_USER_RESPONSE", "USER_BUSY", "CALL_REJECTED", "ORIGINATOR_CANCEL"}
    | {"UNALLOCATED_NUMBER", "SUBSCRIBER_ABSENT", "ALLOTTED_TIMEOUT", "DESTINATION_OUT_OF_ORDER"}
)


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    return any(
        nonce and same(signature, _sign(secret, url, dot, nonce))
        for url in incoming.urls
        for signature, nonce, dot in _signatures(incoming)
    )


def nonces(incoming: Incoming) -> list[str]:
    """The signature does not cover the body, so each nonce is good for one body."""
    return [nonce for signature, nonce, _ in _signatures(incoming) if signature and nonce]


def _signatures(incoming: Incoming) -> list[tuple[str, str, str]]:
    """Signature, nonce, and the separator between URL and nonce."""
    return [
        (
            incoming.header(f"X-Vobiz-Signature-{version}"),
            incoming.header(f"X-Vobiz-Signature-{version}-Nonce"),
            dot,
        )
        for version, dot in (("V3", "."), ("V2", ""))
    ]


def _sign(secret: str, url: str, dot: str, nonce: str) -> str:
    text = f"{url.partition('?')[0]}{dot}{nonce}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode("ascii")


def read(incoming: Incoming) -> CallReport | None:
    form = incoming.form()
    status = _status(form)
    if status is None:
        return None
    ends = status != CallStatus.IN_PROGRESS
    duration = whole_seconds(_first(form, "Duration", "duration", "bill_duration"))
    return CallReport(
        provider_call_id=text_of(_first(form, "CallUUID", "call_id", "uuid", "call_uuid"), 201),
        status=status,
        direction=_direction(_first(form, "Direction", "direction")),
        from_number=number_of(_first(form, "From", "from", "cli")),
        to_number=number_of(_first(form, "To", "to", "did")),
        started_at=instant_of(_first(form, "StartTime", "AnswerTime", "start_time", "answer_time")),
        ended_at=instant_of(_first(form, "EndTime", "end_time")),
        duration_seconds=duration if ends else None,
        end_reason=_first(form, "HangupCause", "HangupCauseName", "hangup_cause") or "",
        recording_url=link_of(_first(form, "RecordUrl", "RecordingUrl", "recording_url")),
    )


def _first(form: Mapping[str, str], *names: str) -> str | None:
    return next((form[name] for name in names if form.get(name)), None)


def _status(form: Mapping[str, str]) -> str | None:
    """None where the message is no callback of a call's state. Raises UnparsableMessage."""
    named = _first(form, "CallStatus", "call_status", "status")
    cause = _first(form, "HangupCause", "HangupCauseName", "hangup_cause")
    if named is None and cause is None and _first(form, "Event", "event") is None:
        return None
    if cause and cause.upper().replace(" ", "_") in _NOT_TAKEN:
        return CallStatus.MISSED
    if named is None:
        return CallStatus.COMPLETED if cause else CallStatus.IN_PROGRESS
    status = _STATUS.get(named.lower().replace("_", "-"))
    if status is None:
        raise UnparsableMessage(f"CallStatus {named[:40]!r} is not one of Vobiz's.")
    return status


def _direction(text: str | None) -> str:
    if text is None:
        return ""
    return Direction.OUTBOUND if text.lower().startswith("outbound") else Direction.INBOUND
