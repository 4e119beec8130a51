"""Middleware that records when and from where a key was last used.

It writes after the response has been sent, at most once a minute per key, and from one thread of a
process at a time, so that a busy database delays no request.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from kaivox.api.after_response import after_response
from kaivox.api.request_context import context_of
from kaivox.businesses.auth.client_ip import client_address
from kaivox.businesses.models import ApiKey
from kaivox.businesses.operations import record_key_use

_MAX_ENTRIES: Final = 20_000

GetResponse = Callable[[HttpRequest], HttpResponse]


class TrackKeyUsage:
    """Records the use of a valid key, whatever the response was."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._recorded_at: dict[int, float] = {}
        self._writing = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = context_of(request).caller
        if isinstance(key, ApiKey) and self._is_due(key):
            address = str(client_address(request.META, settings.TRUSTED_PROXIES))
            after_response(response, lambda: self._record(key, address))
        return response

    def _is_due(self, key: ApiKey) -> bool:
        # With an infinite interval never, a first use included.
        interval: float = settings.KEY_USE_FLUSH_SECONDS
        return time.monotonic() - self._recorded_at.get(key.pk, -math.inf) > interval

    def _record(self, key: ApiKey, address: str) -> None:
        if not self._writing.acquire(blocking=False):
            return  # the next request records it
        try:
            if len(self._recorded_at) >= _MAX_ENTRIES:
                self._recorded_at.clear()
            self._recorded_at[key.pk] = time.monotonic()
            record_key_use(key=key, address=address, now=timezone.now())
        finally:
            self._writing.release()
