"""Writes several appointments of one customer as one change: those of a series or of a visit.

Called with the staff locked where their time changes (`lock_staff`). Locks are acquired in the order of
`appointments.operations`, several rows of one kind by id. The number of queries does not depend on that
of the appointments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from django.utils import timezone

from appointments import events
from appointments.assignments import assign_slot, copy_status, reserve_resources
from appointments.booking_stats import refresh_booking_stats
from appointments.call_links import AppointmentAction, CallReference, notify_call
from appointments.change_window import check_cancellation
from appointments.daily_cap import lock_capped_day
from appointments.models import (
    Appointment,
    AppointmentQuerySet,
    AppointmentStatus,
    ResourceBooking,
)
from appointments.reservations import (
    ReservedSlot,
    StaffNotQualified,
    not_qualified,
    reject_inactive,
    reject_needless,
    translate_database_errors,
)
from appointments.resource_locks import lock_resources_of, lock_without_staff
from appointments.slots import key_of
from appointments.status_transitions import check_transition
from customers.models import Customer
from customers.operations import reject_erased
from kaivox.businesses.models import Business
from kaivox.db.transactions import write_transaction
from kaivox.errors import NotFound, PreconditionFailed
from services.models import Service
from staff.models import StaffMember

_MOVED: Final = (
    "service",
    "staff",
    "start_time",
    "end_time",
    "busy_start",
    "busy_end",
    "duration_minutes",
    "party_size",
    "is_shared",
    "resource_ids",
    "status",
    "confirmation",
    "updated_at",
)

# What a caller has seen: the `updated_at` of each appointment, by id.
SeenVersions = Mapping[int, datetime]


@dataclass(frozen=True, slots=True)
class AppointmentDetails:
    """What the appointments of a series or visit have in common beside their times."""

    customer: Customer
    source: str = "api"
    notes: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    call: CallReference | None = None

    def appointment(self, business: Business, service: Service) -> Appointment:
        """A new appointment, without its time."""
        return Appointment(
            business=business,
            service=service,
            customer=self.customer,
            source=self.source,
            notes=self.notes,
            metadata=dict(self.metadata),
            price=service.price,
            currency=business.currency,
        )


class Placement(NamedTuple):
    """An appointment and the slot that it gets, for the service that it has."""

    appointment: Appointment
    slot: ReservedSlot


class ConcurrentChange(Exception):
    """The appointments changed between the read that a move is based on and the lock."""


def performer_of(appointment: Appointment, staff: StaffMember | None) -> StaffMember | None:
    """Who performs `appointment` once it is moved: `staff`, or else who does now; None where its service
    needs no staff. Raises StaffNotQualified where it has come to need some."""
    if not appointment.service.needs_staff:
        return None
    performer = staff or appointment.staff
    if performer is None:
        message = f"{appointment.service.name} needs a member of staff. Send staff_id."
        raise StaffNotQualified(message, errors={"staff_id": [message]})
    return performer


def reject_needless_for_all(services: Sequence[Service], staff: StaffMember | None) -> None:
    """Raises StaffNotQualified for a member of staff where none of `services` needs one."""
    if services and not any(one.needs_staff for one in services):
        reject_needless(services[0], staff)


@contextmanager
def lock_staff(
    business: Business,
    needed: Collection[tuple[Service, StaffMember | None]],
    also: Collection[int | None] = (),
) -> Iterator[None]:
    """A transaction in which the staff of `needed` are locked, and those with the ids `also`, by id: no
    two of these transactions deadlock, whatever their staff. For services that need none, what
    `lock_without_staff` locks.

    Raises Inactive, StaffNotQualified where one of them no longer offers their service, NotFound, and
    SlotUnavailable or Unavailable for what the database reports inside.
    """
    ids = {key for key in (*(key_of(staff) for _, staff in needed), *also) if key is not None}
    alone = {service.pk: service for service, staff in needed if staff is None}
    with translate_database_errors(), write_transaction(assigns_xid=bool(ids)):
        rows = StaffMember.objects.for_business(business).filter(pk__in=ids).order_by("pk")
        locked = {one.pk: one for one in rows.locked()}
        offers = StaffMember.services.through.objects.filter(
            staffmember_id__in=ids, service_id__in={service.pk for service, _ in needed}
        )
        offered = set(offers.values_list("service_id", "staffmember_id"))
        for _, service in sorted(alone.items()):
            reject_inactive(service, None)
            lock_without_staff(service)
        for service, staff in needed:
            if staff is None:
                continue
            if staff.pk not in locked:
                raise NotFound
            reject_inactive(service, locked[staff.pk])
            if (service.pk, staff.pk) not in offered:
                raise not_qualified(service, staff)
        yield


def lock_days_and_resources(
    business: Business, planned: Iterable[tuple[Service, datetime]]
) -> None:
    """Locks what bookings of these services at these starts lock after their staff and before their
    appointments: days with a daily cap (`lock_capped_day`), then resources."""
    planned = list(planned)
    capped = {
        (service.pk, start.astimezone(business.zone).date())
        for service, start in planned
        if service.daily_cap is not None
    }
    for service_id, day in sorted(capped):
        lock_capped_day(service_id, day)
    lock_resources_of(service for service, _ in planned)


def lock_appointments(
    rows: AppointmentQuerySet, seen: SeenVersions | None = None
) -> list[Appointment]:
    """`rows`, locked by id until the transaction ends, by start. Raises PreconditionFailed where one is
    not as `seen`."""
    # Without joins: a transaction that PostgreSQL waited for may have changed the member of staff of one,
    # and the statement would then leave it out.
    ids = list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    locked = list(Appointment.objects.with_related().filter(pk__in=ids))
    if seen is not None and any(seen.get(one.pk) != one.updated_at for one in locked):
        raise PreconditionFailed
    return sorted(locked, key=lambda one: (one.start_time, one.pk))


def book_all(placements: Sequence[Placement], *, call: CallReference | None, now: datetime) -> None:
    """Inserts new appointments and records `appointment.booked` of each. Raises CustomerErased."""
    appointments = [one.appointment for one in placements]
    for one, slot in placements:
        assign_slot(one, one.service, slot)
        one.call_id = call if isinstance(call, int) else None
    Appointment.objects.bulk_create(appointments)
    _reserve_resources(placements)
    # This locks the customer, who may have been erased since they were read.
    reject_erased(refresh_booking_stats(appointments[0], now=now, booked=True))
    _notify_call("booked", appointments, call)
    events.emit_all("appointment.booked", appointments, now=now)


def move_all(moves: Sequence[Placement], *, call: CallReference | None, now: datetime) -> None:
    """Moves locked appointments and records `appointment.rescheduled` of each."""
    appointments = [one.appointment for one in moves]
    previous = [(one, one.start_time, one.staff_id) for one in appointments]
    # One may move to where another still is. While all are cancelled, none blocks another.
    if any(one.resource_ids for one in appointments):
        ResourceBooking.objects.filter(appointment__in=appointments).delete()
    Appointment.objects.filter(pk__in=[one.pk for one in appointments]).update(
        status=AppointmentStatus.CANCELLED
    )
    for appointment, slot in moves:
        assign_slot(appointment, appointment.service, slot)
        appointment.updated_at = timezone.now()
    Appointment.objects.bulk_update(appointments, _MOVED)
    _reserve_resources(moves)
    refresh_booking_stats(appointments[0], now=now)
    _notify_call("rescheduled", appointments, call)
    events.emit_all_rescheduled(previous, now=now)


def cancel_all(
    appointments: Sequence[Appointment],
    *,
    reason: str,
    call: CallReference | None,
    overrides_window: bool,
    now: datetime,
) -> None:
    """Cancels locked, scheduled appointments and records `appointment.cancelled` of each. Raises
    InvalidTransition, TooLateToChange."""
    for one in appointments:
        check_transition(one, AppointmentStatus.CANCELLED, now=now)
        if not overrides_window:
            check_cancellation(one, now=now)
        one.status = AppointmentStatus.CANCELLED
        one.cancellation_reason = reason
        one.updated_at = timezone.now()
    if not appointments:
        return
    Appointment.objects.bulk_update(appointments, ("status", "cancellation_reason", "updated_at"))
    for one in appointments:
        copy_status(one)
    refresh_booking_stats(appointments[0], now=now)
    _notify_call("cancelled", appointments, call)
    events.emit_all("appointment.cancelled", appointments, now=now)


def _reserve_resources(placements: Sequence[Placement]) -> None:
    for appointment, slot in placements:
        if appointment.resource_ids:
            reserve_resources(appointment, busy=slot.resource_busy)


def _notify_call(
    action: AppointmentAction, appointments: Sequence[Appointment], call: CallReference | None
) -> None:
    """A call shows the one of which it was notified last: the first."""
    known = isinstance(call, int) or call is None
    for one in appointments[:1] if known else reversed(appointments):
        notify_call(action, one, call)
