"""Writes down who changed what: one row per change, which nobody edits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from kaivox.api.logs import current_request_id
from kaivox.businesses.models import AuditEntry, Business


def record_audit(
    *,
    business: Business,
    actor: User | None,
    action: str,
    subject: object,
    changes: Mapping[str, Any] | None = None,
    now: datetime,
) -> AuditEntry:
    """`action` like `api_key.revoked`; `actor` None: a command or a task. No secrets in `changes`.

    Call it in the transaction of the change.
    """
    return AuditEntry.objects.create(
        business=business,
        at=now,
        actor=actor,
        actor_name=actor.get_username() if actor else "the command line",
        action=action,
        subject=str(subject)[:200],
        changes=dict(changes or {}),
        request_id=current_request_id.get(),
    )
