"""Event bodies: frozen bytes, identical for every receiver and attempt."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kaivox.businesses.audit import current_actor
from kaivox.businesses.models import Business
from kaivox.tracing import traceparent
from webhooks.models import Event

API_VERSION: Final = "v1"


def new_event(
    business: Business, type: str, data: Mapping[str, Any], now: datetime, **columns: Any
) -> Event:
    """An unsaved event. Keys are in the order of the contract; a test event has `"test": true`."""
    uid = _new_event_id(now)
    body = {
        "id": uid,
        "type": type,
        "created_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "business_id": business.pk,
        "livemode": business.livemode,
        **({"test": True} if columns.get("is_test") else {}),
        "api_version": API_VERSION,
        "data": data,
    }
    object_id = data.get("id")
    return Event(
        uid=uid,
        business=business,
        type=type,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(),
        object_id=object_id if isinstance(object_id, int) else None,
        actor_name=current_actor.get(),
        occurred_at=now,
        traceparent=traceparent(),
        **columns,
    )


_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _new_event_id(now: datetime) -> str:
    """`evt_` and a ULID (github.com/ulid/spec): 48 bits of milliseconds, 80 random bits."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "evt_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
