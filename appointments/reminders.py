"""Records `appointment.reminder_due` before appointments: once for each start that one has.

Who reminds, by phone or by message, is the receiver of the webhook.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from appointments import events
from appointments.models import Appointment, AppointmentQuerySet
from kaivox.businesses.models import Business
from kaivox.db.outages import sum_of_each
from kaivox.db.transactions import atomic_write

# Of one business at a time, so that one with many does not delay those of others. The next run
# continues.
BATCH_SIZE: Final = 1000


def record_due_reminders(*, now: datetime) -> int:
    """Records the reminders that are due at `now`, for every business with `reminder_hours`. Returns
    their number.

    Each is a transaction of its own. One that is being changed is skipped: the next run finds it.
    """
    businesses = Business.objects.filter(reminder_hours__isnull=False, suspended_at=None)
    return sum_of_each(
        businesses.order_by("pk"),
        lambda business: _record_of_business(business, now),
        failure="Reminders of %s cannot be recorded",
    )


def _record_of_business(business: Business, now: datetime) -> int:
    ids = _due(business, now).order_by("start_time", "pk").values_list("pk", flat=True)
    return sum(_record(business, pk, now) for pk in list(ids[:BATCH_SIZE]))


@atomic_write
def _record(business: Business, appointment_id: int, now: datetime) -> bool:
    """Records the reminder unless it is no longer due: moved, cancelled, or recorded by a run at the
    same time."""
    # Locks the appointment, so that no change comes between its state and the event.
    rows = _due(business, now).with_related()
    rows = rows.select_for_update(no_key=True, skip_locked=True, of=("self",))
    appointment: Appointment | None = rows.filter(pk=appointment_id).first()
    if appointment is None:
        return False
    # Not the default manager, whose `update` sets `updated_at`: nothing that is shown has changed.
    row = Appointment._base_manager.filter(pk=appointment.pk)
    row.update(reminded_start=appointment.start_time)
    if appointment.customer.is_erased:
        return False
    events.emit_reminder_due(appointment, now=now)
    return True


def _due(business: Business, now: datetime) -> AppointmentQuerySet:
    before = timedelta(hours=business.reminder_hours or 0)
    return Appointment.objects.for_business(business).reminder_due(now, before)
