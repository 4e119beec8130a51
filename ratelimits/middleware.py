"""Per-address limit for failed authentication, and the quota headers of every response.

Guesses of a business's keys are charged to the address, not to the business. Past the limit its
requests are rejected before the look-up, so that guessing costs no query.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from kaivox.api.after_response import after_response
from kaivox.api.request_context import context_of
from kaivox.api.responses import error_response
from kaivox.businesses.auth.authentication import TooManyFailedAuthentications
from kaivox.businesses.auth.client_ip import client_address, rate_limit_block
from ratelimits.backends import current_limiter, of_address
from ratelimits.limiter import Quota, RateLimitDecision, whole_seconds
from ratelimits.operations import flush_usage

MAX_FAILURES: Final = Quota(per_minute=60)

GetResponse = Callable[[HttpRequest], HttpResponse]


class FailedAuthLimiter:
    """The failed authentications of one address (`kaivox.api.request_context.FailedAuthLimit`)."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def retry_after(self) -> int:
        """0, or the seconds until keys from this address are looked up again."""
        decision = self._take(cost=0)
        if decision.minute_remaining or settings.RATE_LIMIT_SHADOW:
            return 0
        return max(1, whole_seconds(decision.minute_reset - decision.now))

    def charge(self) -> RateLimitDecision:
        """Counts one failed authentication."""
        return self._take(cost=1)

    def _take(self, cost: int) -> RateLimitDecision:
        block = rate_limit_block(client_address(self._request.META, settings.TRUSTED_PROXIES))
        return current_limiter().take(of_address(block), MAX_FAILURES, cost)


class RateLimitMiddleware:
    """Charges each 401 to its address, turns it into a 429 past the limit, and sets the quota headers
    on each response that was charged to a business."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._flushed_at = 0.0
        self._flushing = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        context = context_of(request)
        limit = context.failed_auth_limit = FailedAuthLimiter(request)
        try:
            response = self.get_response(request)
        finally:
            if context.end_progress is not None:
                context.end_progress()
        if response.status_code == 401:
            decision = limit.charge()
            if not decision.admitted and not settings.RATE_LIMIT_SHADOW:
                return too_many_bad_keys(decision.retry_after)
        if context.quota is not None:
            for name, value in context.quota.headers().items():
                # The exception handler sets it, also that of a 503.
                if name != "Retry-After":
                    response.headers[name] = value
            if self._is_flush_due():
                after_response(response, self._flush)
        return response

    def _is_flush_due(self) -> bool:
        """Only without Redis: usage counted in this process's memory is visible to no task."""
        due = time.monotonic() - self._flushed_at >= settings.USAGE_FLUSH_SECONDS
        return due and not settings.REDIS_URL

    def _flush(self) -> None:
        if not self._flushing.acquire(blocking=False):
            return  # another thread is flushing
        try:
            self._flushed_at = time.monotonic()
            flush_usage(now=timezone.now())
        finally:
            self._flushing.release()


def too_many_bad_keys(retry_after: int) -> HttpResponse:
    """The 429 for an address with too many failed authentications."""
    return error_response(
        429,
        TooManyFailedAuthentications.default_code,
        TooManyFailedAuthentications.default_detail,
        headers={"Retry-After": str(retry_after)},
    )
