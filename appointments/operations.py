"""What can be done with appointments. Every road (API, admin, voice, import) comes through here.

Locks are always taken in one order, so that they cannot wait for each other in a circle: members
of staff by id, then the appointment, then the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet, Sum

from appointments import events
from appointments.holds import staff_of_hold, use_up
from appointments.links import refuse_unknown_call, tell_call
from appointments.models import Appointment, Hold, Status
from appointments.places import Place, Wish, take_place
from appointments.roster import Except
from customers.models import Customer
from customers.operations import Activity, record_activity
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from kaivox.errors import Conflict, Invalid, NotFound, PreconditionFailed
from services.models import Service
from staff.models import StaffMember


class InvalidTransition(Conflict):
    code = "invalid_transition"
    message = "The appointment cannot go from its present status to this one."


class _ChangedMeanwhile(Exception):
    """Between reading an appointment and locking it."""


# So often a move is tried again from a newer state of its appointment.
_ROUNDS: Final = 5

# Where an appointment may go; completed and no_show only once it has begun.
_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    Status.SCHEDULED: frozenset({Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW}),
    Status.COMPLETED: frozenset({Status.NO_SHOW}),
    Status.NO_SHOW: frozenset({Status.COMPLETED}),
    Status.CANCELLED: frozenset(),
}


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
    call_id: int | None = None,
    hold: Hold | None = None,
) -> Appointment:
    """A new appointment, and the event `appointment.booked`. `start` is a whole minute; `staff`
    None: with whoever is free (see `take_place`); `hold` gives its time and its member of staff.

    Raises what `take_place` raises, HoldExpired, HoldMismatch, Invalid for an unknown call.
    """
    refuse_unknown_call(business, call_id)
    if hold is not None:
        staff = staff_of_hold(hold, service, start, staff, now)

    def write(place: Place) -> Appointment:
        if hold is not None:
            use_up(hold, now)
        appointment = Appointment(
            business=business,
            customer=customer,
            source=source,
            notes=notes,
            metadata=dict(metadata or {}),
            call_id=call_id,
            price=service.price,
            currency=business.currency,
        )
        _put(appointment, service, place)
        appointment.save(force_insert=True)
        _refresh_customer(appointment, now=now, booked=True)
        tell_call("booked", appointment, call_id)
        events.tell_booked(appointment, now=now)
        return appointment

    wish = Wish(
        business, service, staff, start, now, without=Except(hold=hold.pk if hold else None)
    )
    return take_place(wish, write)


def reschedule_appointment(
    *,
    business: Business,
    appointment_id: int,
    now: datetime,
    start: datetime | None = None,
    staff: StaffMember | None = None,
    service: Service | None = None,
    call_id: int | None = None,
    expected: datetime | None = None,
) -> Appointment:
    """The appointment at another time, with another member of staff or for another service, and the
    event `appointment.rescheduled`. What is not given stays; all booking rules hold again, but its
    own time does not stand in its way. The price stays as agreed unless the service changes.
    `call_id`: the call in which the customer asked for it.

    Raises what `take_place` raises, NotFound, InvalidTransition, PreconditionFailed, Invalid for an
    unknown call.
    """
    refuse_unknown_call(business, call_id)
    for _ in range(_ROUNDS):
        seen = _get(business, appointment_id)
        _refuse_stale(seen, expected)
        try:
            return _reschedule(
                seen, now=now, start=start, staff=staff, service=service, call_id=call_id
            )
        except _ChangedMeanwhile:
            continue  # what it was to keep is another one now
    raise PreconditionFailed


def cancel_appointment(
    *,
    business: Business,
    appointment_id: int,
    now: datetime,
    reason: str = "",
    call_id: int | None = None,
    expected: datetime | None = None,
) -> Appointment:
    """The appointment, cancelled: its time is free at once. Again: no change, no event. `call_id`:
    the call in which the customer asked for it.

    Raises NotFound, InvalidTransition, PreconditionFailed, Invalid for an unknown call.
    """
    refuse_unknown_call(business, call_id)
    return _end(
        business,
        appointment_id,
        Status.CANCELLED,
        now=now,
        expected=expected,
        reason=reason,
        call_id=call_id,
    )


def complete_appointment(
    *, business: Business, appointment_id: int, now: datetime, expected: datetime | None = None
) -> Appointment:
    """The appointment, completed: the customer came. Raises as `cancel_appointment`."""
    return _end(business, appointment_id, Status.COMPLETED, now=now, expected=expected)


def mark_no_show(
    *, business: Business, appointment_id: int, now: datetime, expected: datetime | None = None
) -> Appointment:
    """The appointment, marked: the customer did not come. Raises as `cancel_appointment`."""
    return _end(business, appointment_id, Status.NO_SHOW, now=now, expected=expected)


@atomic_write
def edit_appointment(
    *,
    business: Business,
    appointment_id: int,
    changes: Mapping[str, Any],
    expected: datetime | None = None,
) -> Appointment:
    """The appointment with other `notes`, `metadata` or `cancellation_reason`. No event.

    Raises NotFound, PreconditionFailed, Invalid for a reason of what is not cancelled.
    """
    appointment = _lock(business, appointment_id)
    _refuse_stale(appointment, expected)
    if "cancellation_reason" in changes and appointment.status != Status.CANCELLED:
        message = "Only a cancelled appointment has a reason for it."
        raise Invalid(errors={"cancellation_reason": [message]})
    changed = [name for name, value in changes.items() if getattr(appointment, name) != value]
    for name in changed:
        setattr(appointment, name, changes[name])
    if changed:
        appointment.save(update_fields=[*changed, "updated_at"])
    return appointment


@atomic_write
def change_appointment(
    *,
    business: Business,
    appointment_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    expected: datetime | None = None,
) -> Appointment:
    """All that a PATCH can ask for, as one change: `start`, `staff`, `service` move it, `status`
    ends it, the rest edits it. Either all of it happens or nothing. `call_id`: the call in which it
    is moved or cancelled.

    Raises what `reschedule_appointment`, `cancel_appointment` and `edit_appointment` raise.
    """
    wanted = dict(changes)
    move = {name: wanted.pop(name) for name in ("start", "staff", "service") if name in wanted}
    status = wanted.pop("status", None)
    call_id = wanted.pop("call_id", None)
    refuse_unknown_call(business, call_id)
    appointment = _get(business, appointment_id)
    _refuse_stale(appointment, expected)
    if move:
        appointment = reschedule_appointment(
            business=business,
            appointment_id=appointment_id,
            now=now,
            call_id=call_id,
            expected=expected,
            **move,
        )
        expected = None
    if status is not None:
        reason = str(wanted.pop("cancellation_reason", "")) if status == Status.CANCELLED else ""
        appointment = _end(
            business,
            appointment_id,
            status,
            now=now,
            expected=expected,
            reason=reason,
            call_id=call_id if status == Status.CANCELLED else None,
        )
        expected = None
    if wanted:
        appointment = edit_appointment(
            business=business, appointment_id=appointment_id, changes=wanted, expected=expected
        )
    return appointment


# --- Parts ---------------------------------------------------------------------------------------


@atomic_write
def _end(
    business: Business,
    appointment_id: int,
    status: str,
    *,
    now: datetime,
    expected: datetime | None,
    reason: str = "",
    call_id: int | None = None,
) -> Appointment:
    """The appointment with `status`, and its event. Raises NotFound, InvalidTransition,
    PreconditionFailed."""
    appointment = _lock(business, appointment_id)
    _refuse_stale(appointment, expected)
    if appointment.status == status:
        return appointment
    if status not in _TRANSITIONS[appointment.status]:
        raise InvalidTransition(f"It is {appointment.status} and cannot become {status}.")
    if status != Status.CANCELLED and appointment.start_time > now:
        raise InvalidTransition(f"It has not begun yet and cannot be {status}.")
    appointment.status = status
    appointment.cancellation_reason = reason
    appointment.save(update_fields=["status", "cancellation_reason", "updated_at"])
    _refresh_customer(appointment, now=now, completed=status == Status.COMPLETED)
    tell_call("cancelled", appointment, call_id)
    events.tell_ended(appointment, now=now)
    return appointment


def _reschedule(
    seen: Appointment,
    *,
    now: datetime,
    start: datetime | None,
    staff: StaffMember | None,
    service: Service | None,
    call_id: int | None,
) -> Appointment:
    """Moves the appointment, which must still be as it was `seen`. Raises _ChangedMeanwhile."""
    business = seen.business
    if seen.status != Status.SCHEDULED:
        raise InvalidTransition(f"It is {seen.status}; only a scheduled appointment can be moved.")
    wish = Wish(
        business,
        service or seen.service,
        staff or seen.staff,
        start or seen.start_time,
        now,
        without=Except(appointment=seen.pk),
    )
    if (wish.service, wish.staff, wish.start) == (seen.service, seen.staff, seen.start_time):
        return seen

    def write(place: Place) -> Appointment:
        appointment = _lock(business, seen.pk)
        if appointment.updated_at != seen.updated_at:
            raise _ChangedMeanwhile
        previous = appointment.start_time, appointment.staff_id
        if wish.service != appointment.service:
            appointment.price, appointment.currency = wish.service.price, business.currency
        _put(appointment, wish.service, place)
        appointment.save()
        tell_call("rescheduled", appointment, call_id)
        events.tell_rescheduled(
            appointment, previous_start=previous[0], previous_staff_id=previous[1], now=now
        )
        return appointment

    return take_place(wish, write)


def _put(appointment: Appointment, service: Service, place: Place) -> None:
    appointment.service = service
    appointment.staff = place.staff
    appointment.duration_minutes = service.duration_minutes
    appointment.start_time, appointment.end_time = place.start_time, place.end_time
    appointment.busy_start, appointment.busy_end = place.busy_start, place.busy_end


def _get(business: Business, appointment_id: int) -> Appointment:
    """Raises NotFound."""
    rows = Appointment.objects.for_business(business).with_names()
    appointment: Appointment | None = rows.filter(pk=appointment_id).first()
    if appointment is None:
        raise NotFound
    return appointment


def _lock(business: Business, appointment_id: int) -> Appointment:
    """Locks the appointment: two changes of one queue here. Raises NotFound."""
    rows = Appointment.objects.for_business(business).with_names().filter(pk=appointment_id)
    locked = rows.select_for_update(no_key=True, of=("self",))
    appointment: Appointment | None = locked.first()
    if appointment is None:
        raise NotFound
    return appointment


def _refuse_stale(appointment: Appointment, expected: datetime | None) -> None:
    if expected is not None and appointment.updated_at != expected:
        raise PreconditionFailed


def _refresh_customer(
    appointment: Appointment, *, now: datetime, booked: bool = False, completed: bool = False
) -> None:
    """Gives the customer their figures anew."""

    def count() -> Activity:
        total, spent, last_visit, last_booked = _FIGURES.first(
            business_id=appointment.business_id, customer_id=appointment.customer_id
        )
        return Activity(total, spent or Decimal(0), last_visit, last_booked)

    record_activity(
        customer_id=appointment.customer_id,
        count=count,
        booked=booked,
        completed=completed,
        now=now,
    )


def _figures_of(business_id: int, customer_id: int) -> QuerySet[Any]:
    """(appointments that stand, spent, last visit, last booked) of a customer."""
    done = Q(status=Status.COMPLETED)
    rows = Appointment.objects.for_business(business_id).filter(customer=customer_id)
    return (
        rows.values("customer")
        .annotate(
            total=Count("pk", filter=~Q(status=Status.CANCELLED)),
            spent=Sum("price", filter=done),
            last_visit=Max("start_time", filter=done),
            last_booked=Max("created_at"),
        )
        .values_list("total", "spent", "last_visit", "last_booked")
    )


_FIGURES: Final = Prepared(_figures_of)
