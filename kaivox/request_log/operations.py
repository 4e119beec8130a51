"""Operations on the request log: storing entries, retention, and erasure of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from kaivox.businesses.models import Business
from kaivox.db.transactions import atomic_join, atomic_write, write_transaction
from kaivox.request_log.models import RequestLogEntry, RequestLogQuerySet

_BATCH_SIZE: Final = 500
_ERASED: Final = "erased"


def store_entries(entries: Sequence[RequestLogEntry]) -> None:
    """Inserts `entries`."""
    with write_transaction(assigns_xid=True):
        RequestLogEntry.objects.bulk_create(entries)


def prune(*, now: datetime) -> int:
    """Deletes entries older than REQUEST_LOG_DAYS, in batches; returns how many."""
    before = now - timedelta(days=settings.REQUEST_LOG_DAYS)
    deleted = 0
    while batch := _prune_some(before):
        deleted += batch
    return deleted


@atomic_join
def redact_entries(*, business: Business, mentions: Callable[[str], bool]) -> None:
    """Erases a person from the entries of `business`: each text of which `mentions` says that it mentions
    them. Bodies are erased together."""
    rows = RequestLogEntry.objects.for_business(business)
    with_bodies = rows.exclude(request_body="", response_body="")
    bodies = with_bodies.values_list("pk", "request_body", "response_body").iterator()
    found = [pk for pk, *texts in bodies if any(map(mentions, texts))]
    for batch in _batches(found):
        rows.filter(pk__in=batch).update(request_body="", response_body="")
    # Ids that the server generated mention no one, and each is another text.
    chosen_ids = rows.exclude(request_id__startswith="req_")
    _redact(rows, "query", mentions, query="")
    _redact(rows, "path", mentions, path=_ERASED, path_template=_ERASED)
    _redact(chosen_ids, "request_id", mentions, request_id=_ERASED)


def _redact(
    rows: RequestLogQuerySet, field: str, mentions: Callable[[str], bool], **values: str
) -> None:
    # Distinct texts, as most requests repeat a path and a query.
    texts = rows.exclude(**{field: ""}).values_list(field, flat=True).distinct()
    found = [text for text in texts.iterator() if mentions(text)]
    for batch in _batches(found):
        rows.filter(**{f"{field}__in": batch}).update(**values)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _BATCH_SIZE):
        yield items[start : start + _BATCH_SIZE]


@atomic_write
def _prune_some(before: datetime) -> int:
    # By id, which needs no index on the time: entries are written within seconds of their request.
    oldest = RequestLogEntry.objects.order_by("pk").values_list("pk", "at")[:_BATCH_SIZE]
    ids = [pk for pk, at in oldest if at < before]
    if ids:
        RequestLogEntry.objects.filter(pk__in=ids).delete()
    return len(ids)
