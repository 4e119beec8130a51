"""The audit trail: one immutable row per change, with its actor."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db.models import Model

from kaivox.api.logging import current_request_id
from kaivox.businesses.models import ApiKey, AuditEntry, Business
from kaivox.db.transactions import atomic_write

# A person, a program with its API key, or None: the caller of the request, else a command or a task.
Actor = User | ApiKey | None

# Who makes the request of this thread, as the audit names them; empty outside of requests. Changes are
# recorded several layers below the view that knows its caller.
current_actor: Final[ContextVar[str]] = ContextVar("current_actor", default="")


def set_current_actor(actor: User | ApiKey) -> None:
    """Names the caller of this request, until its response is closed."""
    current_actor.set(_name_of(actor)[:150])


def _forget_actor(**_: object) -> None:
    current_actor.set("")


request_finished.connect(_forget_actor)


@atomic_write
def record_export(
    *, business: Business, actor: Actor, resource: str, filters: list[str], now: datetime
) -> None:
    """Writes an entry for a whole list as CSV or NDJSON. `filters` are names of parameters only: their
    values may be a person's name or number."""
    record_audit(
        business=business,
        actor=actor,
        action="list.exported",
        subject=resource,
        changes={"filters": filters} if filters else {},
        now=now,
    )


def record_audit(
    *,
    business: Business,
    actor: Actor,
    action: str,
    subject: object,
    changes: Mapping[str, Any] | None = None,
    about: Model | None = None,
    now: datetime,
) -> AuditEntry:
    """Writes an entry. `action` is like `api_key.revoked`; `changes` must not contain secrets.

    `about` is the row whose admin History shows the entry, by default `subject` if that is a row.
    Call it in the transaction of the change.
    """
    row = about or (subject if isinstance(subject, Model) else None)
    return AuditEntry.objects.create(
        business=business,
        at=now,
        actor=actor if isinstance(actor, User) else None,
        actor_name=_name_of(actor)[:150],
        action=action,
        subject=str(subject)[:200],
        subject_type=row._meta.label_lower if row else "",
        subject_id=row.pk if row else None,
        changes=dict(changes or {}),
        request_id=current_request_id.get(),
    )


def _name_of(actor: Actor) -> str:
    if actor is None:
        return current_actor.get() or "the command line"
    return f"API key {actor}" if isinstance(actor, ApiKey) else actor.get_username()
