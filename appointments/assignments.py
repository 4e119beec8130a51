"""Writes a reserved slot to the row of its appointment, and the resources that it reserves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from appointments.models import Appointment, Confirmation, ResourceBooking
from appointments.reservations import ReservedSlot
from services.models import Service


def assign_slot(appointment: Appointment, service: Service, slot: ReservedSlot) -> None:
    """Sets all columns of `appointment` that follow from the service and the slot."""
    if appointment.start_time != slot.start_time:
        appointment.confirmation = Confirmation.NONE  # it was about the former time
    appointment.service = service
    appointment.staff = slot.staff
    appointment.duration_minutes = service.duration_minutes
    appointment.party_size, appointment.is_shared = slot.party_size, service.is_class
    appointment.resource_ids = list(slot.resource_ids)
    appointment.start_time, appointment.end_time = slot.start_time, slot.end_time
    appointment.busy_start, appointment.busy_end = slot.busy_start, slot.busy_end


def reserve_resources(
    appointment: Appointment,
    *,
    had_some: bool = False,
    busy: Mapping[int, tuple[datetime, datetime]] = MappingProxyType({}),
) -> None:
    """Writes the resources of a booked or moved appointment; `had_some` before it was moved. An
    appointment that never had any needs no query. `busy` are blocked ranges that differ from the
    appointment's, by id of the resource."""
    if had_some:
        ResourceBooking.objects.filter(appointment=appointment).delete()
    own = appointment.busy_start, appointment.busy_end
    ResourceBooking.objects.bulk_create(
        ResourceBooking(
            business_id=appointment.business_id,
            appointment=appointment,
            resource_id=resource_id,
            service_id=appointment.service_id,
            staff_id=appointment.staff_id,
            start_time=appointment.start_time,
            busy_start=busy_start,
            busy_end=busy_end,
            is_shared=appointment.is_shared,
            status=appointment.status,
        )
        for resource_id in appointment.resource_ids
        for busy_start, busy_end in (busy.get(resource_id, own),)
    )


def copy_status(appointment: Appointment) -> None:
    """Gives the reserved resources the appointment's status: a cancelled one frees them."""
    if appointment.resource_ids:
        rows = ResourceBooking.objects.filter(appointment=appointment)
        rows.update(status=appointment.status)
