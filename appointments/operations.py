"""Operations on appointments, called by the API, the admin, voice agents and imports alike.

Locks are acquired in one order, so that no two operations deadlock: see docs/decisions/0041.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from appointments import events
from appointments.assignments import assign_slot, copy_status, reserve_resources
from appointments.availability_queries import Exclusions
from appointments.booking_stats import refresh_booking_stats
from appointments.call_links import CallReference, notify_call, reject_unknown_call
from appointments.change_window import check_cancellation, check_move
from appointments.holds import consume_hold, validate_hold
from appointments.lookup import get_appointment, lock_appointment
from appointments.models import Appointment, AppointmentStatus, Hold
from appointments.reservations import BookingRequest, ReservedSlot, reserve_slot
from appointments.status_transitions import InvalidTransition, check_confirmation, check_transition
from customers.models import Customer
from customers.operations import reject_erased
from kaivox.businesses.models import Business
from kaivox.db.transactions import atomic_write
from kaivox.errors import Invalid, Unavailable
from services.models import Service
from staff.models import StaffMember


class _ConcurrentChange(Exception):
    """The appointment changed between the read that a move is based on and the lock."""


# How often a move starts again from a newer state of its appointment.
_MAX_ATTEMPTS: Final = 5

# Of the changes of a PATCH, those that make it a move.
_MOVE_FIELDS: Final = ("start", "staff", "service", "hold", "party_size")


def book_appointment(
    *,
    business: Business,
    customer: Customer,
    service: Service,
    start: datetime,
    now: datetime,
    staff: StaffMember | None = None,
    source: str = "api",
    notes: str = "",
    metadata: Mapping[str, str] | None = None,
    call_id: CallReference | None = None,
    hold: Hold | None = None,
    party_size: int | None = None,
) -> Appointment:
    """Books an appointment and records `appointment.booked`.

    `start` is a whole minute. Without `staff` any free member of staff is chosen (`reserve_slot`);
    with `hold` the member of staff of the hold. The hold is used up. Without `party_size` it is for as
    many people as the hold, or for one.

    Raises as `reserve_slot`, and CustomerErased, HoldExpired, HoldMismatch, Invalid (unknown call).
    """
    reject_unknown_call(business, call_id)
    reject_erased(customer)
    if hold is not None:
        staff = validate_hold(hold, service, start, staff, now)

    def write(slot: ReservedSlot) -> Appointment:
        if hold is not None:
            consume_hold(hold, now)
        appointment = Appointment(
            business=business,
            customer=customer,
            source=source,
            notes=notes,
            metadata=dict(metadata or {}),
            call_id=call_id if isinstance(call_id, int) else None,
            price=service.price,
            currency=business.currency,
        )
        assign_slot(appointment, service, slot)
        appointment.save(force_insert=True)
        reserve_resources(appointment)
        # This locks the customer, who may have been erased since they were read.
        reject_erased(refresh_booking_stats(appointment, now=now, booked=True))
        notify_call("booked", appointment, call_id)
        events.emit_booked(appointment, now=now)
        return appointment

    exclusions = Exclusions(hold=hold.pk if hold else None)
    people = party_size or (hold.party_size if hold else 1)
    request = BookingRequest(
        business, service, staff, start, now, without=exclusions, party_size=people
    )
    return reserve_slot(request, write)


def reschedule_appointment(
    *,
    business: Business,
    appointment_id: int,
    now: datetime,
    start: datetime | None = None,
    staff: StaffMember | None = None,
    service: Service | None = None,
    hold: Hold | None = None,
    party_size: int | None = None,
    call_id: CallReference | None = None,
    expected: datetime | None = None,
    overrides_window: bool = False,
    needs_notice: bool = True,
) -> Appointment:
    """Moves an appointment to another time, member of staff, service or size of party, and records
    `appointment.rescheduled`.

    What is None stays as it is. All booking rules apply to the new time (`needs_notice`: also the
    minimum notice); the appointment's own time does not block it, nor does `hold`, which supplies
    time and staff and is used up. Where the service needs no staff, it has none afterwards. The price
    stays as agreed unless the service changes. `call_id` is the call in which the customer asked for
    it, `expected` the version that the caller has seen; `overrides_window`: also after its window.

    Raises what `reserve_slot` raises, NotFound, InvalidTransition, TooLateToChange, HoldExpired,
    HoldMismatch, PreconditionFailed, Unavailable (it changes too often), Invalid (unknown call).
    """
    reject_unknown_call(business, call_id)

    wanted: dict[str, Any] = {"start": start, "staff": staff, "service": service, "hold": hold}
    wanted["party_size"] = party_size

    def request_for(appointment: Appointment) -> BookingRequest:
        request = _move_request(appointment, now=now, **wanted)
        return request if needs_notice else replace(request, needs_notice=False)

    for _ in range(_MAX_ATTEMPTS):
        seen = get_appointment(business, appointment_id, expected)
        try:
            return _reschedule(
                seen,
                request_for,
                hold=hold,
                call_id=call_id,
                expected=expected,
                overrides_window=overrides_window,
            )
        except _ConcurrentChange:
            continue
    raise Unavailable(retry_after=1)


def cancel_appointment(
    *,
    business: Business,
    appointment_id: int,
    now: datetime,
    reason: str = "",
    call_id: CallReference | None = None,
    expected: datetime | None = None,
    overrides_window: bool = False,
) -> Appointment:
    """Cancels an appointment, which frees its time at once, and records `appointment.cancelled`.

    An appointment that is cancelled already stays as it is, without another event. `call_id` is the
    call in which the customer asked for it. `overrides_window`: also after the cancellation window of
    its service.

    Raises NotFound, InvalidTransition, TooLateToChange, PreconditionFailed, and Invalid for an
    unknown call.
    """
    reject_unknown_call(business, call_id)
    return _transition(
        business,
        appointment_id,
        AppointmentStatus.CANCELLED,
        now=now,
        expected=expected,
        reason=reason,
        call_id=call_id,
        overrides_window=overrides_window,
    )


def complete_appointment(
    *, business: Business, appointment_id: int, now: datetime, expected: datetime | None = None
) -> Appointment:
    """Records that the customer came. Raises NotFound, InvalidTransition, PreconditionFailed."""
    return _transition(
        business, appointment_id, AppointmentStatus.COMPLETED, now=now, expected=expected
    )


def mark_no_show(
    *, business: Business, appointment_id: int, now: datetime, expected: datetime | None = None
) -> Appointment:
    """Records that the customer did not come. Raises as `complete_appointment`."""
    return _transition(
        business, appointment_id, AppointmentStatus.NO_SHOW, now=now, expected=expected
    )


@atomic_write
def update_details(
    *,
    business: Business,
    appointment_id: int,
    changes: Mapping[str, Any],
    expected: datetime | None = None,
) -> Appointment:
    """Changes `confirmation`, `notes`, `metadata` or `cancellation_reason`. Records no event, but an
    audit entry.

    Raises NotFound, PreconditionFailed, InvalidTransition for the confirmation of one that is not
    scheduled, and Invalid for the reason of one that is not cancelled.
    """
    appointment = lock_appointment(business, appointment_id, expected)
    check_confirmation(appointment, changes.get("confirmation", appointment.confirmation))
    if "cancellation_reason" in changes and appointment.status != AppointmentStatus.CANCELLED:
        message = "Only a cancelled appointment has a reason for it."
        raise Invalid(errors={"cancellation_reason": [message]})
    changed = [name for name, value in changes.items() if getattr(appointment, name) != value]
    for name in changed:
        setattr(appointment, name, changes[name])
    if changed:
        appointment.save(update_fields=[*changed, "updated_at"])
        events.audit_details(appointment, changed)
    return appointment


@atomic_write
def update_appointment(
    *,
    business: Business,
    appointment_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    expected: datetime | None = None,
    overrides_window: bool = False,
) -> Appointment:
    """Applies everything that a PATCH may ask for, in one transaction.

    `start`, `staff`, `service`, `party_size` and `hold` move the appointment, then it gets its
    `confirmation`, then `status` changes it, then the rest is edited. `call_id` is the call in which it
    is moved or cancelled.

    Raises what `reschedule_appointment`, `cancel_appointment` and `update_details` raise.
    """
    rest = dict(changes)
    move = {name: rest.pop(name) for name in _MOVE_FIELDS if name in rest}
    status = rest.pop("status", None)
    call_id = rest.pop("call_id", None)
    reject_unknown_call(business, call_id)
    appointment = get_appointment(business, appointment_id, expected)
    if move:
        appointment = reschedule_appointment(
            business=business,
            appointment_id=appointment_id,
            now=now,
            call_id=call_id,
            expected=expected,
            overrides_window=overrides_window,
            **move,
        )
        expected = expected and appointment.updated_at  # one that stays where it is is not locked
    if "confirmation" in rest:
        changed = {"confirmation": rest.pop("confirmation")}
        appointment = update_details(
            business=business, appointment_id=appointment_id, changes=changed, expected=expected
        )
        expected = None
    if status is not None:
        cancels = status == AppointmentStatus.CANCELLED
        appointment = _transition(
            business,
            appointment_id,
            status,
            now=now,
            expected=expected,
            reason=str(rest.get("cancellation_reason", "")) if cancels else "",
            call_id=call_id if cancels else None,
            overrides_window=overrides_window,
        )
        expected = None
    if rest:
        # Also the reason of one that was cancelled before; of one cancelled just now it is stored.
        appointment = update_details(
            business=business, appointment_id=appointment_id, changes=rest, expected=expected
        )
    return appointment


@atomic_write
def _transition(
    business: Business,
    appointment_id: int,
    status: str,
    *,
    now: datetime,
    expected: datetime | None,
    reason: str = "",
    call_id: CallReference | None = None,
    overrides_window: bool = False,
) -> Appointment:
    """Sets `status` and records its event. Raises NotFound, InvalidTransition, TooLateToChange,
    PreconditionFailed."""
    appointment = lock_appointment(business, appointment_id, expected)
    if appointment.status == status:
        return appointment
    check_transition(appointment, status, now=now)
    if status == AppointmentStatus.CANCELLED and not overrides_window:
        check_cancellation(appointment, now=now)
    appointment.status = status
    appointment.cancellation_reason = reason
    appointment.save(update_fields=["status", "cancellation_reason", "updated_at"])
    copy_status(appointment)
    refresh_booking_stats(appointment, now=now, completed=status == AppointmentStatus.COMPLETED)
    notify_call("cancelled", appointment, call_id)
    events.emit_closed(appointment, now=now)
    return appointment


def _move_request(
    appointment: Appointment,
    *,
    now: datetime,
    start: datetime | None,
    staff: StaffMember | None,
    service: Service | None,
    hold: Hold | None,
    party_size: int | None,
) -> BookingRequest:
    """The request that moves `appointment`. Raises InvalidTransition, HoldExpired, HoldMismatch."""
    if appointment.status != AppointmentStatus.SCHEDULED:
        message = f"It is {appointment.status}; only a scheduled appointment can be moved."
        raise InvalidTransition(message)
    service = service or appointment.service
    if hold is not None:
        start = start or hold.start_time
        staff = validate_hold(hold, service, start, staff, now)
    return BookingRequest(
        appointment.business,
        service,
        (staff or appointment.staff) if service.needs_staff else staff,
        start or appointment.start_time,
        now,
        without=Exclusions(appointment=appointment.pk, hold=hold.pk if hold else None),
        party_size=party_size or appointment.party_size,
    )


def _reschedule(
    seen: Appointment,
    request_for: Callable[[Appointment], BookingRequest],
    *,
    hold: Hold | None,
    call_id: CallReference | None,
    expected: datetime | None,
    overrides_window: bool,
) -> Appointment:
    """Moves the appointment. Raises _ConcurrentChange where, once it is locked, it is no longer what
    the request was derived from: it has another member of staff, say, who has to be locked first."""
    request = request_for(seen)
    before = (seen.service, seen.staff, seen.start_time, seen.party_size)
    # No one is asked for where the service needs no staff, or has come to need some.
    if (request.service, request.staff or seen.staff, request.start, request.party_size) == before:
        return seen
    if not overrides_window:
        # Before the new time is checked, as no other time would help; again under the lock.
        check_move(seen, now=request.now)

    def write(slot: ReservedSlot) -> Appointment:
        appointment = lock_appointment(seen.business, seen.pk, expected)
        if request_for(appointment) != request:
            raise _ConcurrentChange
        if not overrides_window:
            check_move(appointment, now=request.now)
        if hold is not None:
            consume_hold(hold, request.now)
        previous_start, previous_staff_id = appointment.start_time, appointment.staff_id
        if request.service != appointment.service:
            appointment.price = request.service.price
            appointment.currency = request.business.currency
        had_resources = bool(appointment.resource_ids)
        assign_slot(appointment, request.service, slot)
        appointment.save()
        reserve_resources(appointment, had_some=had_resources)
        if appointment.start_time != previous_start:
            refresh_booking_stats(appointment, now=request.now)
        notify_call("rescheduled", appointment, call_id)
        events.emit_rescheduled(
            appointment,
            previous_start=previous_start,
            previous_staff_id=previous_staff_id,
            now=request.now,
        )
        return appointment

    return reserve_slot(request, write)
