"""Forwards events to a server on this machine, signed as webhooks are."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx

from kaivox.webhooks import sign_webhook

_TIMEOUT_SECONDS: Final = 15.0  # a webhook's


@dataclass(frozen=True)
class Forwarded:
    """What the receiver did with an event."""

    status: int | None
    error: str
    milliseconds: int

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Forwarder:
    """Sends events to `url`, each in one attempt."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self._secret = secret
        self._numbers = count(1)
        # Not through a proxy: the receiver is on this machine.
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False)

    def send(self, event: dict[str, Any]) -> Forwarded:
        """Sends the body as KaiVox does: compact, in UTF-8, keys in the order of the API."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "KaiVox-Webhooks/1.0",
            "X-KaiVox-Event": event["type"],
            "X-KaiVox-Delivery": str(next(self._numbers)),
            "X-KaiVox-Attempt": "1",
            **({"X-KaiVox-Test": "1"} if event.get("test") else {}),
            **sign_webhook(body, self._secret, event_id=event["id"], timestamp=int(time.time())),
        }
        started = time.monotonic()
        status, error = None, ""
        try:
            status = self._http.post(self.url, content=body, headers=headers).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = str(failure) or type(failure).__name__
        return Forwarded(status, error, round((time.monotonic() - started) * 1000))
