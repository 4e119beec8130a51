"""What the tests send: a sample of each provider's messages, signed as that provider signs.

The samples are ours, made after the providers' documentation of November 2026.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from urllib.parse import parse_qsl

SAMPLES = Path(__file__).parent / "samples"
FORM = "application/x-www-form-urlencoded"


def sample(name: str) -> tuple[bytes, str]:
    """Body and content type."""
    path = SAMPLES / name
    body = path.read_bytes().strip()
    return body, FORM if path.suffix == ".form" else "application/json"


def signature(
    provider: str, body: bytes, *, secret: str, url: str, at: float, way: str = ""
) -> dict[str, str]:
    """The headers that sign `body`; `way` chooses where a provider has several."""
    return _SIGN[way or provider](body, secret, url, at)


def _mac(secret: str, text: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), text, getattr(hashlib, algorithm)).digest()


def _twilio(body, secret, url, at):
    fields = "".join(name + value for name, value in sorted(parse_qsl(body.decode(), True)))
    digest = _mac(secret, (url + fields).encode(), "sha1")
    return {"X-Twilio-Signature": base64.b64encode(digest).decode()}


def _vobiz(version, dot):
    def sign(body, secret, url, at):
        nonce = hashlib.sha256(body).hexdigest()[:20]  # another for each message
        digest = _mac(secret, f"{url}{dot}{nonce}".encode())
        name = f"X-Vobiz-Signature-{version}"
        return {name: base64.b64encode(digest).decode(), f"{name}-Nonce": nonce}

    return sign


def _retell(body, secret, url, at):
    stamp = str(int(at * 1000))
    return {"X-Retell-Signature": f"v={stamp},d={_mac(secret, body + stamp.encode()).hex()}"}


def _kaivox(body, secret, url, at):
    stamp = int(at)
    return {"X-KaiVox-Signature": f"t={stamp},v1={_mac(secret, f'{stamp}.'.encode() + body).hex()}"}


def _standard(body, secret, url, at):
    stamp, key = int(at), base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    value = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": "msg_1", "webhook-timestamp": str(stamp), "webhook-signature": value}


def _vapi_hmac_with_time(unit, encode):
    """The defaults of Vapi's HMAC credential."""

    def sign(body, secret, url, at):
        stamp = str(int(at * unit))
        digest = _mac(secret, f"{stamp}.".encode() + body)
        return {"x-signature": encode(digest), "x-timestamp": stamp}

    return sign


_SIGN = {
    "twilio": _twilio,
    "vobiz": _vobiz("V3", "."),
    "vobiz-v2": _vobiz("V2", ""),
    "vapi": lambda body, secret, url, at: {"X-Vapi-Secret": secret},
    "vapi-bearer": lambda body, secret, url, at: {"Authorization": f"Bearer {secret}"},
    "vapi-hmac": lambda body, secret, url, at: {"X-Vapi-Signature": _mac(secret, body).hex()},
    "vapi-hmac-time": _vapi_hmac_with_time(1, bytes.hex),
    "vapi-hmac-milliseconds": _vapi_hmac_with_time(1000, lambda digest: f"sha256={digest.hex()}"),
    "vapi-hmac-base64": _vapi_hmac_with_time(1, lambda digest: base64.b64encode(digest).decode()),
    "retell": _retell,
    "kaivox": _kaivox,
    "kaivox-standard": _standard,
}
