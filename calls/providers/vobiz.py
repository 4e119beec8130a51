"""Vobiz: answer and hangup callbacks.

docs.vobiz.ai/xml/request and /concepts/validating-callbacks (November 2026). A form, or the same
fields as JSON, in either spelling. `X-Vobiz-Signature-V3` = base64 of HMAC-SHA256 over the address
without its query, a dot and the nonce, under the auth token; V2 has no dot. The body itself is not
signed: let Vobiz call over HTTPS only.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from calls.models import Direction, Status
from calls.providers.incoming import Incoming, same
from calls.report import (
    CallReport,
    Unreadable,
    instant_of,
    link_of,
    number_of,
    text_of,
    whole_seconds,
)

_STATUS: Final = {
    "ringing": Status.IN_PROGRESS,
    "early": Status.IN_PROGRESS,
    "in-progress": Status.IN_PROGRESS,
    "answered": Status.IN_PROGRESS,
    "completed": Status.COMPLETED,
    "busy": Status.MISSED,
    "failed": Status.MISSED,
    "timeout": Status.MISSED,
    "no-answer": Status.MISSED,
    "cancel": Status.MISSED,
    "canceled": Status.MISSED,
    "cancelled": Status.MISSED,
    "missed": Status.MISSED,
}

# Causes (ITU-T Q.850, as FreeSWITCH names them) of calls that nobody took, whatever their status.
_NOT_TAKEN: Final = frozenset(
    {"NO_ANSWER", "NO_USER_RESPONSE", "USER_BUSY", "CALL_REJECTED", "ORIGINATOR_CANCEL"}
    | {"UNALLOCATED_NUMBER", "SUBSCRIBER_ABSENT", "ALLOTTED_TIMEOUT", "DESTINATION_OUT_OF_ORDER"}
)


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    return any(
        same(
            incoming.header(f"X-Vobiz-Signature-{version}"),
            _sign(secret, url, dot, incoming.header(f"X-Vobiz-Signature-{version}-Nonce")),
        )
        for url in incoming.urls
        for version, dot in (("V3", "."), ("V2", ""))
    )


def _sign(secret: str, url: str, dot: str, nonce: str) -> str:
    text = f"{url.partition('?')[0]}{dot}{nonce}"
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode("ascii")


def read(incoming: Incoming) -> CallReport | None:
    form = incoming.form()
    status = _status(form)
    if status is None:
        return None
    ends = status != Status.IN_PROGRESS
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
    """None where the message is no callback of a call's state. Raises Unreadable."""
    told = _first(form, "CallStatus", "call_status", "status")
    cause = _first(form, "HangupCause", "HangupCauseName", "hangup_cause")
    if told is None and cause is None and _first(form, "Event", "event") is None:
        return None
    if cause and cause.upper().replace(" ", "_") in _NOT_TAKEN:
        return Status.MISSED
    if told is None:
        return Status.COMPLETED if cause else Status.IN_PROGRESS
    status = _STATUS.get(told.lower().replace("_", "-"))
    if status is None:
        raise Unreadable(f"CallStatus {told[:40]!r} is not one of Vobiz's.")
    return status


def _direction(text: str | None) -> str:
    if text is None:
        return ""
    return Direction.OUTBOUND if text.lower().startswith("outbound") else Direction.INBOUND
