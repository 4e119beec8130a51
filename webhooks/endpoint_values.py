"""Validation of the values of endpoints, and their audit entries, for `webhooks.operations`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction

from kaivox.api.suggestions import unknown_name
from kaivox.businesses.audit import Actor, record_audit
from kaivox.businesses.models import ApiKey
from kaivox.db.encrypted_fields import DecryptionError
from kaivox.errors import Invalid
from webhooks.custom_headers import MASK, check_headers, headers_of, pack
from webhooks.event_types import ALL_EVENTS, EVENT_TYPES, normalise
from webhooks.models import Endpoint
from webhooks.ssrf import BadDestination, check_url

_WRITE_AGAIN: Final = "Write the values again, or no headers: the URL has another host, which would receive the stored ones."


def checked_url(url: str) -> str:
    """`url`, normalised for storage. Raises Invalid."""
    try:
        # A DNS lookup may take seconds, too long inside a transaction of the caller.
        return check_url(url, look_up=not transaction.get_connection().in_atomic_block)
    except BadDestination as error:
        raise Invalid(errors={"url": [str(error)]}) from error


def canonical_types(
    names: Sequence[str], *, field: str = "event_types", allow_everything: bool = True
) -> list[str]:
    try:
        found = list(dict.fromkeys(normalise(name) for name in names))
    except KeyError as error:
        known = [*EVENT_TYPES, ALL_EVENTS] if allow_everything else EVENT_TYPES
        message = unknown_name(str(error.args[0]), known, noun="event type")
        raise Invalid(errors={field: [message]}) from error
    if not found or (ALL_EVENTS in found and not allow_everything):
        raise Invalid(errors={field: ["Name an event type, like appointment.booked."]})
    return [ALL_EVENTS] if ALL_EVENTS in found else found


def header_changes(
    headers: Mapping[str, str] | None, endpoint: Endpoint, *, url: str | None
) -> dict[str, Any]:
    """The changed columns of the custom headers. Raises Invalid where another host at `url` would receive
    stored values: moving an endpoint to a server of one's own would reveal what is masked everywhere."""
    try:
        stored = headers_of(endpoint)
    except DecryptionError:
        stored = {}
    # Unreadable ones too: they would be sent once their key is back.
    uses_stored = endpoint.custom_headers and (headers is None or MASK in headers.values())
    if url is not None and uses_stored and _is_elsewhere(url, endpoint.url):
        raise Invalid(errors={"headers": [_WRITE_AGAIN]})
    if headers is None:
        return {}
    return {"custom_headers": pack(check_headers(headers, stored=stored))}


def _is_elsewhere(url: str, former: str) -> bool:
    """Whether `url` has another host than `former`, or no TLS where that has it."""
    new, old = urlsplit(url), urlsplit(former)
    return new.hostname != old.hostname or (old.scheme, new.scheme) == ("https", "http")


def creator_columns(actor: Actor) -> dict[str, Any]:
    is_key = isinstance(actor, ApiKey)
    return {
        "created_by_key": actor if is_key else None,
        "created_by": None if is_key else actor,
    }


def audit_endpoint(
    endpoint: Endpoint,
    actor: Actor,
    action: str,
    changes: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    record_audit(
        business=endpoint.business,
        actor=actor,
        action=action,
        subject=endpoint.url,
        about=endpoint,
        changes=changes,
        now=now,
    )
