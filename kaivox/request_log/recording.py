"""Records requests for the log: what is stored of each, and the queue in which they wait.

The request only appends to a queue. Masking and writing happen in the queue's thread.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.conf import settings

from kaivox.businesses.auth.client_ip import client_address
from kaivox.db.batch_writer import BatchWriter
from kaivox.metrics import REQUEST_LOG_DROPPED
from kaivox.request_log.masking import mask_body, mask_path, mask_query, template_of
from kaivox.request_log.models import MAX_PATH, MAX_QUERY, RequestLogEntry
from kaivox.request_log.operations import store_entries

# At 1,000 requests a second ten seconds of an unavailable database.
MAX_QUEUED: Final = 10_000
_BATCH_SIZE: Final = 500


class LoggedRequest(NamedTuple):
    """A request as it waits in the queue. `at` in Unix seconds; the bodies only of failed requests."""

    business_id: int
    key_id: int | None
    user_name: str
    at: float
    method: str
    path: str
    query: str
    status: int
    duration: float
    remote_address: str
    forwarded_for: str
    request_id: str
    request_body: bytes
    response_body: bytes


def record(request: LoggedRequest) -> None:
    """Queues `request` for the log. Never waits."""
    _queue.put(request)


def flush() -> int:
    """Writes what is queued in this process; returns the number of entries."""
    return _queue.flush()


def discard() -> None:
    """Empties the queue of this process."""
    _queue.clear()


def _write(batch: Sequence[LoggedRequest]) -> None:
    store_entries([entry_of(request) for request in batch])


_queue: Final[BatchWriter[LoggedRequest]] = BatchWriter(
    "request log",
    _write,
    interval=lambda: settings.REQUEST_LOG_FLUSH_SECONDS,
    max_items=MAX_QUEUED,
    batch_size=_BATCH_SIZE,
    on_drop=REQUEST_LOG_DROPPED.inc,
)


def entry_of(request: LoggedRequest) -> RequestLogEntry:
    """The row of `request`, masked and cut to the lengths of its columns."""
    path = mask_path(request.path)[:MAX_PATH]
    failed = request.status >= 400
    is_write = request.method not in ("GET", "HEAD", "OPTIONS")
    return RequestLogEntry(
        business_id=request.business_id,
        key_id=request.key_id,
        user_name=request.user_name[:150],
        at=datetime.fromtimestamp(request.at, UTC),
        method=request.method[:10],
        path=path,
        path_template=template_of(path),
        query=mask_query(request.query)[:MAX_QUERY],
        status=request.status,
        error_code=_code_in(request.response_body) if failed else "",
        duration_ms=round(request.duration * 1000),
        address=_address_of(
            request.remote_address, request.forwarded_for, settings.TRUSTED_PROXIES
        ),
        request_id=request.request_id,
        request_body=mask_body(request.request_body) if failed and is_write else "",
        response_body=mask_body(request.response_body) if failed and is_write else "",
    )


def _code_in(body: bytes) -> str:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("code") or "")[:60] if isinstance(found, dict) else ""


@lru_cache(maxsize=1_000)
def _address_of(remote_address: str, forwarded_for: str, trusted_proxies: int) -> str:
    meta = {"REMOTE_ADDR": remote_address, "HTTP_X_FORWARDED_FOR": forwarded_for}
    return str(client_address(meta, trusted_proxies))
