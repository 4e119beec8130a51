"""Tool calls of AI agents, recorded with the phone call in which they were made."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError

from calls.masking import mask
from calls.models import Call, ToolCall, ToolCallQuerySet
from kaivox.businesses.models import Business
from kaivox.db.batches import delete_in_batches
from kaivox.db.outages import OUTAGES
from kaivox.db.transactions import write_transaction

logger = logging.getLogger(__name__)

_LONGEST: Final = 10_000
# Long enough to examine an agent; what it booked or wrote down is in rows of its own.
_RETENTION: Final = timedelta(days=90)
EMPTY: Final = "{}"


def record_tool_call(
    *,
    business: Business,
    source: str,
    tool: str,
    arguments: Any,
    status: str,
    result: dict[str, Any],
    duration_ms: int,
    provider_call_id: str = "",
    tool_call_id: str = "",
    customer_id: int | None = None,
) -> ToolCall | None:
    """Stores what was asked and answered, masked as transcripts are; the phone call need not have
    arrived yet. None where the database cannot store it: the caller gets the result all the same."""
    asked, answered = _text(arguments), _text(result)
    if business.mask_transcripts:
        asked = mask(asked)
        # Errors repeat the caller's words; other results hold what the business knows anyway.
        answered = answered if status == "ok" else mask(answered)
    row = ToolCall(
        business=business,
        source=source,
        provider_call_id=provider_call_id[:200],
        tool_call_id=tool_call_id[:200],
        tool=tool[:40],
        arguments=asked,
        status=status[:40],
        result=answered,
        duration_ms=duration_ms,
        customer_id=customer_id,
    )
    try:
        with write_transaction():
            row.save(force_insert=True)
    except (DatabaseError, *OUTAGES) as error:
        logger.warning("A tool call is not recorded", exc_info=error)
        return None
    return row


def tool_calls_of(call: Call) -> list[ToolCall]:
    """Those made during `call`, in order."""
    rows = ToolCall.objects.for_business(call.business_id)
    return list(rows.of_calls([call.provider_call_id]).order_by("created_at", "pk")[:200])


def empty_tool_calls(rows: ToolCallQuerySet) -> int:
    """Removes what was said from `rows`; when, which tool and how long stay."""
    return rows.update(arguments=EMPTY, result=EMPTY)


def empty_old_tool_calls(business: Business, before: datetime) -> int:
    """`empty_tool_calls` for those made before `before`."""
    old = ToolCall.objects.for_business(business).filter(created_at__lt=before)
    with write_transaction():
        return empty_tool_calls(old.exclude(arguments=EMPTY, result=EMPTY))


def delete_old_tool_calls(*, now: datetime) -> int:
    """Deletes those older than 90 days, in batches; returns their number."""
    return delete_in_batches(ToolCall.objects.filter(created_at__lt=now - _RETENTION))


def _text(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST]
    except (ValueError, RecursionError):  # nested deeper than it can be written
        return EMPTY
    return text.replace("\x00", "").encode(errors="replace").decode()
