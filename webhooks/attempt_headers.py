"""Headers of an attempt, without the user's own (`webhooks.custom_headers`)."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from webhooks.models import Endpoint
from webhooks.signing import signature_headers
from webhooks.ssrf import host_header

USER_AGENT: Final = "KaiVox-Webhooks/1.0"


def attempt_headers(row: Any, body: bytes, endpoint: Endpoint, now: datetime) -> dict[str, str]:
    """The headers for `row`: a claimed delivery joined with its event."""
    return {
        "Host": host_header(endpoint.url),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "X-KaiVox-Event": row.event__type,
        "X-KaiVox-Delivery": str(row.pk),
        "X-KaiVox-Attempt": str(row.attempt_count),
        "traceparent": traceparent(row),
        **({"X-KaiVox-Test": "1"} if row.event__is_test else {}),
        **signature_headers(
            body,
            event_id=row.event__uid,
            timestamp=int(now.timestamp()),
            secrets=endpoint.secrets(now),
        ),
    }


def traceparent(row: Any) -> str:
    """The W3C Trace Context header: the trace of the request that made the event, else one of the
    event; one span for each attempt.

    Derived, not stored: the delivery log is enough to compute the span that a receiver reports.
    """
    span = blake2b(f"{row.pk}.{row.attempt_count}".encode(), digest_size=8).hexdigest()
    if row.event__traceparent:
        version, trace, _, flags = row.event__traceparent.split("-")
        return f"{version}-{trace}-{span}-{flags}"
    trace = blake2b(row.event__uid.encode(), digest_size=16).hexdigest()
    return f"00-{trace}-{span}-01"
