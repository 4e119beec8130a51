"""Links between calls and the appointments booked, moved or cancelled in them, in any order of arrival."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from appointments.call_links import AppointmentAction, CallReference
from appointments.models import Appointment
from calls.models import AwaitedLink, Call, CallOutcome
from kaivox.businesses.models import Business
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.transactions import advisory_lock, atomic_join, atomic_write

# A call that has not been reported by then will not be.
AWAIT: Final = timedelta(days=30)


@atomic_write
def link_appointment(action: AppointmentAction, *, appointment: Appointment, call_id: int) -> None:
    """Records in the call what was done to `appointment` in it. Called in the same transaction, after
    the locks of staff member, appointment and customer."""
    calls = Call.objects.for_business(appointment.business_id).select_for_update(no_key=True)
    call = calls.get(pk=call_id)
    _apply_action(call, action, appointment)
    call.save(update_fields=["appointment", "outcome", "customer", "updated_at"])


@atomic_join
def link_by_provider_id(
    action: AppointmentAction, *, appointment: Appointment, provider_call_id: str
) -> None:
    """`link_appointment` by the voice provider's id of the call: now where the call is known, else
    when it arrives."""
    business_id = appointment.business_id
    _lock_link(business_id, provider_call_id)
    known = Call.objects.for_business(business_id).filter(provider_call_id=provider_call_id)
    call_id = known.order_by("-started_at", "-pk").values_list("pk", flat=True).first()
    if call_id is None:
        AwaitedLink.objects.create(
            business_id=business_id,
            provider_call_id=provider_call_id,
            appointment=appointment,
            action=action,
        )
        return
    link_appointment(action, appointment=appointment, call_id=call_id)
    if action == "booked":
        appointment.call_id = call_id
        appointment.save(update_fields=["call_id", "updated_at"])


def link_awaited(call: Call) -> None:
    """Applies to a new call the actions that preceded its first message. The caller saves it."""
    business_id, provider_call_id = call.business_id, call.provider_call_id
    # Locks the appointments: a cancellation locks first the appointment, then the link.
    _AWAITED.rows(business_id=business_id, provider_call_id=provider_call_id)
    _lock_link(business_id, provider_call_id)
    links = _AWAITED.rows(business_id=business_id, provider_call_id=provider_call_id)
    for link in links:
        _apply_action(call, link.action, link.appointment)
        if link.action == CallOutcome.BOOKED:
            link.appointment.call_id = call.pk
            link.appointment.save(update_fields=["call_id", "updated_at"])
    if links:
        AwaitedLink.objects.filter(pk__in=[link.pk for link in links]).delete()


def _awaited(business_id: int, provider_call_id: str) -> QuerySet[Any]:
    links = AwaitedLink.objects.for_business(business_id).select_related("appointment")
    rows = links.filter(provider_call_id=provider_call_id).order_by("pk")
    return rows.select_for_update(no_key=True, of=("appointment",))


_AWAITED: Final = CompiledQuery(_awaited)


@atomic_write
def forget_awaited_links(*, now: datetime) -> int:
    """Deletes links to calls that were never reported; returns their number."""
    return AwaitedLink.objects.filter(created_at__lt=now - AWAIT).delete()[0]


class AppointmentLink:
    """Implements `appointments.call_links.CallLog`."""

    def exists(self, *, business: Business, call_id: int) -> bool:
        return Call.objects.for_business(business).filter(pk=call_id).exists()

    def record_action(
        self, action: AppointmentAction, *, appointment: Appointment, call: CallReference
    ) -> None:
        if isinstance(call, int):
            link_appointment(action, appointment=appointment, call_id=call)
        else:
            link_by_provider_id(action, appointment=appointment, provider_call_id=call)


def _lock_link(business_id: int, provider_call_id: str) -> None:
    """Booking and call may arrive at once: the second waits, and sees the first."""
    advisory_lock("call link", business_id, provider_call_id)


def _apply_action(call: Call, action: str, appointment: Appointment) -> None:
    """A booking stays the call's outcome; otherwise the last action is, whatever the provider says."""
    booked = call.outcome == CallOutcome.BOOKED and call.appointment_id is not None
    if action == CallOutcome.BOOKED or not booked:
        call.appointment = appointment
        call.outcome = action
    if call.customer_id is None:
        call.customer_id = appointment.customer_id
