"""When and from where was a key last used? Written after the answer has gone out, at most once a
minute for each key, and never by more than one thread of a process: a database that is busy with
other things then holds up nobody's request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from kaivox.api.after import after_answer
from kaivox.businesses.addresses import client_address
from kaivox.businesses.models import ApiKey
from kaivox.businesses.operations import note_use

_MANY: Final = 20_000

GetResponse = Callable[[HttpRequest], HttpResponse]


class LastUse:
    """Notes the use of a valid key, whatever the answer was."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._noted: dict[int, float] = {}
        self._writing = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = getattr(request, "caller", None)
        if isinstance(key, ApiKey) and self._is_due(key):
            address = str(client_address(request.META, settings.TRUSTED_PROXIES))
            after_answer(response, lambda: self._note(key, address))
        return response

    def _is_due(self, key: ApiKey) -> bool:
        every: float = settings.KEY_USE_WRITTEN_EVERY_SECONDS
        return time.monotonic() - self._noted.get(key.pk, 0.0) >= every

    def _note(self, key: ApiKey, address: str) -> None:
        if not self._writing.acquire(blocking=False):
            return  # the next use will do
        try:
            if len(self._noted) >= _MANY:
                self._noted.clear()
            self._noted[key.pk] = time.monotonic()
            note_use(key=key, address=address, now=timezone.now())
        finally:
            self._writing.release()
