"""History of a row on its admin page: the audit entries and events about it, from every channel.

Django's own log has only what was changed in the admin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Model

from kaivox.businesses.models import AuditEntry
from kaivox.registry import Registry

MAX_ENTRIES: Final = 200


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change. `actor` is empty for tasks, commands and voice providers."""

    at: datetime
    actor: str
    text: str
    details: str = ""


# Functions `(row) -> entries` of higher layers, newest first and at most MAX_ENTRIES, by the model's
# label.
history_sources: Final[Registry[Callable[[Any], Iterable[HistoryEntry]]]] = Registry(
    "history of rows in the admin"
)


def history_of(row: Model, *, business_id: int) -> list[HistoryEntry]:
    """The latest changes of `row`, a row of the business with this id, newest first."""
    entries = [*_audit_entries(row, business_id)]
    for source in history_sources.all(row._meta.label):
        entries += source(row)
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:MAX_ENTRIES]


def _audit_entries(row: Model, business_id: int) -> Iterable[HistoryEntry]:
    # Reads backwards in the index of the business's audit, which is short enough for a page.
    rows = AuditEntry.objects.for_business(business_id).filter(
        subject_type=row._meta.label_lower, subject_id=row.pk
    )
    for entry in rows.order_by("-at", "-pk")[:MAX_ENTRIES]:
        details = ", ".join(f"{name}: {_in_words(value)}" for name, value in entry.changes.items())
        yield HistoryEntry(entry.at, entry.actor_name, entry.action, details)


def _in_words(value: Any) -> str:
    """The audit stores a change as [before, after]."""
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]} → {value[1]}"
    return str(value)
