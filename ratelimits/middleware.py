"""How often may an address knock with a wrong key, or none? And: the quota on every answer.

A business is not charged for whoever guesses its keys; the address is. Past the limit its requests
are refused before the look-up, so that guessing costs us no query.
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
from kaivox.api.responses import error_response
from kaivox.businesses import known_keys
from kaivox.businesses.addresses import block_of, client_address
from kaivox.businesses.authentication import TooManyBadKeys
from ratelimits.operations import write_down_usage
from ratelimits.stores import current_window, of_address
from ratelimits.window import Decision, Quota, whole_seconds

BAD_KEYS: Final = Quota(per_minute=60)

GetResponse = Callable[[HttpRequest], HttpResponse]


class AddressLimit:
    """The bad keys of one address. Waits at `request.address_limit` for the authentication."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def retry_after(self) -> int:
        """0, or in how many seconds a key from here is looked up again."""
        decision = self._take(cost=0)
        if decision.minute_remaining or settings.RATE_LIMIT_SHADOW:
            return 0
        return max(1, whole_seconds(decision.minute_reset - decision.now))

    def charge(self) -> Decision:
        """Counts one bad key."""
        decision = self._take(cost=1)
        if not decision.minute_remaining:
            known_keys.refresh()  # now, so that what comes next costs no query
        return decision

    def _take(self, cost: int) -> Decision:
        block = block_of(client_address(self._request.META, settings.TRUSTED_PROXIES))
        return current_window().take(of_address(block), BAD_KEYS, cost)


class UnknownCallers:
    """Charges each 401 to its address, and turns it into a 429 past the limit; writes the quota's
    headers on each answer that was charged to a business."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._written_at = 0.0
        self._writing = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.address_limit = AddressLimit(request)  # type: ignore[attr-defined]
        response = self.get_response(request)
        if response.status_code == 401:
            decision = request.address_limit.charge()  # type: ignore[attr-defined]
            if not decision.admitted and not settings.RATE_LIMIT_SHADOW:
                return _too_many_bad_keys(decision.retry_after)
        quota: Decision | None = getattr(request, "quota", None)
        if quota is not None:
            for name, value in quota.headers().items():
                if name != "Retry-After":  # the error handler's, which knows a 503's too
                    response.headers[name] = value
            if self._must_write_down():
                after_answer(response, self._write_down)
        return response

    def _must_write_down(self) -> bool:
        """With Redis a task does it; nobody else can see the memory of this process."""
        due = time.monotonic() - self._written_at >= settings.USAGE_WRITTEN_EVERY_SECONDS
        return due and not settings.REDIS_URL

    def _write_down(self) -> None:
        if not self._writing.acquire(blocking=False):
            return  # another thread is at it
        try:
            self._written_at = time.monotonic()
            write_down_usage(now=timezone.now())
        finally:
            self._writing.release()


def _too_many_bad_keys(retry_after: int) -> HttpResponse:
    return error_response(
        429,
        TooManyBadKeys.default_code,
        TooManyBadKeys.default_detail,
        headers={"Retry-After": str(retry_after)},
    )
