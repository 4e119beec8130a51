"""Twilio: status callbacks of calls and recordings.

www.twilio.com/docs/voice/twiml#status-callbacks and /usage/webhooks/webhooks-security (November
2026). A form; `X-Twilio-Signature` = base64 of HMAC-SHA1 over the URL and the sorted fields, under
the account's auth token. No transcript comes with it.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from calls.models import Direction, Status
from calls.providers.incoming import Incoming, same
from calls.report import CallReport, Unreadable, link_of, number_of, text_of, whole_seconds

_STATUS: Final = {
    "queued": Status.IN_PROGRESS,
    "initiated": Status.IN_PROGRESS,
    "ringing": Status.IN_PROGRESS,
    "in-progress": Status.IN_PROGRESS,
    "completed": Status.COMPLETED,
    "no-answer": Status.MISSED,
    "busy": Status.MISSED,
    "failed": Status.MISSED,
    "canceled": Status.MISSED,
}


def is_signed(incoming: Incoming, secret: str, now: datetime) -> bool:
    given = incoming.header("X-Twilio-Signature")
    try:
        pairs = incoming.pairs()
    except Unreadable:
        return False  # what is signed are the fields of a form
    fields = "".join(name + value for name, value in sorted(set(pairs)))
    return any(
        same(given, _sign(secret, url + fields)) for url in _with_and_without_port(incoming.urls)
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
    if "CallStatus" not in form and "RecordingUrl" not in form:
        return None
    status = form.get("CallStatus", "").lower()
    if status and status not in _STATUS:
        raise Unreadable(f"CallStatus {status[:40]!r} is not one of Twilio's.")
    ends = _STATUS.get(status, Status.IN_PROGRESS) != Status.IN_PROGRESS
    told_at = _told_at(form.get("Timestamp", ""))
    return CallReport(
        provider_call_id=text_of(form.get("CallSid"), 201),
        status=_STATUS.get(status, ""),
        direction=_direction(form.get("Direction", "")),
        from_number=number_of(form.get("From")),
        to_number=number_of(form.get("To")),
        caller_name=text_of(form.get("CallerName"), 200),
        ended_at=told_at if ends else None,
        started_at=told_at if status == "in-progress" else None,
        duration_seconds=whole_seconds(form.get("CallDuration")) if ends else None,
        end_reason=status if ends else "",
        recording_url=link_of(form.get("RecordingUrl")),
    )


def _direction(text: str) -> str:
    """`inbound`, `outbound-api`, `outbound-dial`."""
    if not text:
        return ""
    return Direction.OUTBOUND if text.startswith("outbound") else Direction.INBOUND


def _told_at(text: str) -> datetime | None:
    """RFC 2822, as Twilio writes times; what is none is left out: it is not ours to doubt."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None
