"""Signatures of webhooks, in the form of Standard Webhooks 1.0 (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from kaivox._errors import WebhookVerificationError
from kaivox._generated.events import WebhookEvent, event_of

_PREFIX: Final = "whsec_"


class Headers(Protocol):
    """Headers as a dict, or as the object of any web framework."""

    def items(self) -> Iterable[tuple[str, str]]: ...


def verify_webhook(
    body: bytes | str,
    headers: Headers,
    secret: str | Sequence[str],
    *,
    tolerance: int = 300,
    now: float | None = None,
) -> WebhookEvent:
    """The event of a webhook that KaiVox signed. Raises WebhookVerificationError.

    `body` is the body as it was received, before any parser; `secret` that of the endpoint, or
    several. A timestamp more than `tolerance` seconds from `now` (Unix time) is an error, so that a
    recorded request cannot be sent again later.
    """
    raw = body.encode() if isinstance(body, str) else body
    named = {name.lower(): value for name, value in headers.items()}
    event_id, sent_at = named.get("webhook-id", ""), named.get("webhook-timestamp", "")
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) < 16):
        raise WebhookVerificationError("The header webhook-timestamp is missing or not a number.")
    if abs((time.time() if now is None else now) - int(sent_at)) > tolerance:
        raise WebhookVerificationError("The timestamp is too old or too far ahead.")
    known = [secret] if isinstance(secret, str) else list(secret)
    expected = [_signature(raw, event_id, sent_at, one).encode() for one in known]
    received = [
        value.encode("utf-8", "surrogateescape")
        for version, _, value in (
            part.partition(",") for part in named.get("webhook-signature", "").split()
        )
        if version == "v1"
    ]
    if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in received):
        raise WebhookVerificationError("No signature matches the body and the secret.")
    try:
        event = json.loads(raw)
    except ValueError:
        raise WebhookVerificationError("The body is signed but is not JSON.") from None
    return event_of(event)


def sign_webhook(body: bytes, secret: str, *, event_id: str, timestamp: int) -> dict[str, str]:
    """The four signature headers that KaiVox sends with `body`; for tests of a receiver."""
    ours = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()
    return {
        "X-KaiVox-Signature": f"t={timestamp},v1={ours}",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{_signature(body, event_id, str(timestamp), secret)}",
    }


def new_secret() -> str:
    """A secret as an endpoint has it: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def _signature(body: bytes, event_id: str, sent_at: str, secret: str) -> str:
    try:
        key = base64.b64decode(
            secret[len(_PREFIX) :] if secret.startswith(_PREFIX) else "", validate=True
        )
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise WebhookVerificationError(
            f"The secret is not one of KaiVox: they start with {_PREFIX}."
        )
    signed = f"{event_id}.{sent_at}.".encode("utf-8", "surrogateescape") + body
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
