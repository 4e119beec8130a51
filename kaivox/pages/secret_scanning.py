"""`POST /secret-scanning/github`: API keys that GitHub found in public repositories are revoked.

GitHub's secret scanning partner programme sends signed reports (docs.github.com, "Secret scanning
partner program"): a JSON array of matches, with an ECDSA P-256 signature over the raw body. The
response labels each match as `true_positive` or `false_positive`. Off (404) unless
GITHUB_SECRET_SCANNING_KEYS is set.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from kaivox.api.responses import error_response
from kaivox.businesses.leaked_keys import revoke_leaked_key
from webhooks.sender import fetch

logger = logging.getLogger(__name__)

# More than 5,000 matches.
MAX_BODY: Final = 1024 * 1024
_FETCH_SECONDS: Final = 3.0
# GitHub replaces its keys now and then. A report with an unknown one causes at most one request a minute.
_RENEW_SECONDS: Final = 86_400
_RETRY_SECONDS: Final = 60


class PublicKeys:
    """GitHub's public keys by identifier, fetched when needed; thread-safe."""

    def __init__(
        self, load: Callable[[], bytes | None], timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._timer = timer
        self._lock = threading.Lock()
        self._known: Mapping[str, str] = {}
        self._fetched_at = -float("inf")

    def get(self, identifier: str) -> str | None:
        """The key in PEM, or None for an unknown identifier."""
        with self._lock:
            age = self._timer() - self._fetched_at
            if age > _RENEW_SECONDS or (identifier not in self._known and age > _RETRY_SECONDS):
                self._fetched_at = self._timer()
                fetched = _parse_keys(self._load())
                self._known = self._known if fetched is None else fetched
            return self._known.get(identifier)


def _parse_keys(document: bytes | None) -> Mapping[str, str] | None:
    """None, with a warning, where the document cannot be read."""
    try:
        return {
            str(entry["key_identifier"]): str(entry["key"])
            for entry in json.loads(document or b"")["public_keys"]
        }
    except (ValueError, TypeError, KeyError):
        logger.warning("GitHub's public keys could not be fetched")
        return None


def _fetch_keys() -> bytes | None:
    return fetch(settings.GITHUB_SECRET_SCANNING_KEYS, seconds=_FETCH_SECONDS)


public_keys: Final = PublicKeys(_fetch_keys)


@csrf_exempt
@require_POST
def github(request: HttpRequest) -> HttpResponse:
    """Revokes the keys of a report. Repeating a report changes nothing."""
    if not settings.GITHUB_SECRET_SCANNING_KEYS:
        return error_response(404, "not_found", "There is nothing here.")
    body = request.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        return error_response(413, "body_too_large", "The body is larger than 1 MiB.")
    identifier = request.headers.get("Github-Public-Key-Identifier", "")
    signature = request.headers.get("Github-Public-Key-Signature", "")
    if not is_signed(body, signature, public_keys.get(identifier)):
        return error_response(401, "invalid_signature", "The report is not signed by GitHub.")
    matches = _matches(body)
    if matches is None:
        return error_response(400, "invalid_json", "Send a JSON array of objects.")
    return JsonResponse([_label(match) for match in matches], safe=False)


def is_signed(body: bytes, signature: str, public_key: str | None) -> bool:
    """Whether `signature` (base64 of an ASN.1 ECDSA signature over SHA-256) fits `body`."""
    if public_key is None:
        return False
    try:
        key = load_pem_public_key(public_key.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, binascii.Error):
        return False
    return True


def _matches(body: bytes) -> list[dict[str, Any]] | None:
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(report, list) or not all(isinstance(match, dict) for match in report):
        return None
    return report


def _label(match: Mapping[str, Any]) -> dict[str, str]:
    """The feedback of one match. The key itself is not sent back, only its SHA-256."""
    secret = str(match.get("token", ""))
    is_ours = revoke_leaked_key(
        secret=secret, found_at=str(match.get("url") or ""), now=timezone.now()
    )
    return {
        "token_hash": hashlib.sha256(secret.encode(errors="replace")).hexdigest(),
        "token_type": str(match.get("type", "")),
        "label": "true_positive" if is_ours else "false_positive",
    }
