"""HMAC-SHA256 signatures of webhook requests.

Each request carries two signatures of the same body. `X-KaiVox-Signature` is in Stripe's form
(docs.stripe.com/webhooks/signature), the `webhook-*` trio in that of Standard Webhooks 1.0
(standardwebhooks.com), so that stock libraries verify both. The time is signed with the body: a
recorded request cannot be replayed later.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

_PREFIX: Final = "whsec_"


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64.

    Standard base64, never the URL-safe one: stock verifiers drop its `-` and `_` silently and so
    compute with another key.
    """
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def signature_headers(
    body: bytes, *, event_id: str, timestamp: int, secrets: Sequence[str]
) -> dict[str, str]:
    """The four signature headers of one request made at `timestamp` (Unix seconds).

    One signature for each of `secrets`, newest first: during a rotation the receiver may know either.
    """
    ours = f"{timestamp}.".encode() + body
    standard = f"{event_id}.".encode() + ours
    hexes = [hmac.digest(secret.encode(), ours, "sha256").hex() for secret in secrets]
    texts = [
        base64.b64encode(hmac.digest(_decoded(secret), standard, "sha256")).decode("ascii")
        for secret in secrets
    ]
    return {
        "X-KaiVox-Signature": ",".join([f"t={timestamp}", *(f"v1={text}" for text in hexes)]),
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{text}" for text in texts),
    }


def verify(body: bytes, header: str, secret: str, *, now: float, tolerance: int = 300) -> bool:
    """Whether `header` (X-KaiVox-Signature) signs `body` within `tolerance` seconds of `now`."""
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    # More than 4,300 digits are a ValueError of `int`.
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 15:
        return False
    if abs(now - int(times[0])) > tolerance:
        return False
    expected = hmac.digest(secret.encode(), f"{times[0]}.".encode() + body, "sha256").hex()
    return any(
        hmac.compare_digest(expected.encode(), value.encode())
        for name, _, value in parts
        if name == "v1"
    )


def _decoded(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
