"""Middleware that records every API request of a known business in the request log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from kaivox.api.encoders import encode
from kaivox.api.logging import current_request_id
from kaivox.api.request_context import Caller, QuotaDecision, context_of
from kaivox.businesses.auth.authentication import StaffPrincipal
from kaivox.businesses.models import ApiKey
from kaivox.request_log.masking import MAX_READ_BYTES
from kaivox.request_log.recording import LoggedRequest, record

GetResponse = Callable[[HttpRequest], HttpResponse]

# Entries of one business and minute beyond its quota: requests of sessions and free ones.
_FREE_PER_MINUTE: Final = 60
_REJECTED_PER_MINUTE: Final = 60


class RequestLog:
    """Queues an entry for each request that authenticated, whatever the response was."""

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.REQUEST_LOG_DAYS:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self._limit = EntryLimit()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        context = context_of(request)
        caller = context.caller
        if caller is not None and self._limit.admits(caller.business.pk, context.quota):
            duration = time.perf_counter() - started
            record(_logged(request, response, caller, duration, context.request_body))
        return response


class EntryLimit:
    """Bounds the entries of one business in a minute and process.

    Requests that the quota admits always fit. Rejected ones and free ones are not bounded by the quota, so
    each have a limit of their own.
    """

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[tuple[int, bool], int] = {}

    def admits(self, business_id: int, decision: QuotaDecision | None) -> bool:
        """Counts one entry; returns whether it is to be stored."""
        minute = int(time.monotonic()) // 60
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        rejected = decision is not None and not decision.admitted
        per_minute = decision.quota.per_minute if decision is not None else 0
        limit = _REJECTED_PER_MINUTE if rejected else per_minute + _FREE_PER_MINUTE
        count = self._counts.get((business_id, rejected), 0) + 1
        self._counts[business_id, rejected] = count
        return count <= limit


def _logged(
    request: HttpRequest, response: HttpResponse, caller: Caller, duration: float, body: bytes
) -> LoggedRequest:
    meta = request.META
    failed = response.status_code >= 400
    return LoggedRequest(
        business_id=caller.business.pk,
        key_id=caller.pk if isinstance(caller, ApiKey) else None,
        user_name=caller.user.get_username() if isinstance(caller, StaffPrincipal) else "",
        at=time.time() - duration,
        method=request.method or "",
        path=request.path_info,
        query=meta.get("QUERY_STRING", ""),
        status=response.status_code,
        duration=duration,
        remote_address=meta.get("REMOTE_ADDR", ""),
        forwarded_for=meta.get("HTTP_X_FORWARDED_FOR", ""),
        request_id=current_request_id.get(),
        # A thousand rejected bodies of 1 MiB would otherwise wait in memory.
        request_body=body[:MAX_READ_BYTES] if failed else b"",
        response_body=_error_in(response) if failed else b"",
    )


def _error_in(response: HttpResponse) -> bytes:
    """The error envelope; of a page of the browsable API that which the page shows."""
    if response.streaming:
        return b""
    envelope = getattr(response, "data", None)
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    return encode(envelope) if is_page and isinstance(envelope, dict) else response.content
