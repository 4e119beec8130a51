"""Events in the admin History of the rows that they are about, through whatever channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kaivox.admin.history import MAX_ENTRIES, HistoryEntry
from webhooks.models import Event

# Models whose events have this prefix and the id of the row.
EVENT_PREFIXES: Final = {
    "appointments.Appointment": "appointment.",
    "customers.Customer": "customer.",
    "calls.Call": "call.",
    "services.Service": "service.",
    "staff.StaffMember": "staff.",
    "staff.Closure": "closure.",
    "appointments.WaitlistEntry": "waitlist.",
}


def events_about(row: Any) -> Iterable[HistoryEntry]:
    """The events of `row`, newest first."""
    prefix = EVENT_PREFIXES[row._meta.label]
    rows = Event.objects.for_business(row.business_id).filter(
        object_id=row.pk, type__startswith=prefix, is_test=False
    )
    for event in rows.defer("body").order_by("-occurred_at", "-pk")[:MAX_ENTRIES]:
        yield HistoryEntry(event.occurred_at, event.actor_name, event.type, event.uid)
