"""What can be done with appointments. Every road (API, admin, voice, import) comes through here.

Locks are always taken in one order, so that they cannot wait for each other in a circle: members
of staff by id, then the appointment, then the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Max, Q, Sum

from appointments import events
from appointments.links import call_link
from appointments.models import Appointment, Hold, Status
from appointments.places import Place, Wish, take_place
from appointments.roster import Except
from customers.models import Customer
from customers.operations import record_activity
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from kaivox.errors import Conflict, Invalid, NotFound, PreconditionFailed
from services.models import Service
from staff.models import StaffMember


class InvalidTransition(Conflict):
    code = "invalid_transition"
    message = "The appointment cannot go from its present status to this one."


class HoldExpired(Conflict):
    code = "hold_expired"
    message = "This hold has ended. Ask for slots again."


class HoldMismatch(Invalid):
    code = "hold_mismatch"
    message = "This hold is for another time."


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
    if call_id is not None and not call_link().exists(business=business, call_id=call_id):
        raise Invalid(errors={"call_id": ["There is no call with this id."]})
    if hold is not None:
        staff = _staff_of_hold(hold, service, start, staff, now)

    def write(place: Place) -> Appointment:
        if hold is not None:
            _use_up(hold, now)
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
        if call_id is not None:
            call_link().booked(appointment=appointment, now=now)
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
    expected: datetime | None = None,
) -> Appointment:
    """The appointment at another time, with another member of staff or for another service, and the
    event `appointment.rescheduled`. What is not given stays; all booking rules hold again, but its
    own time does not stand in its way. The price stays as agreed unless the service changes.

    Raises what `take_place` raises, NotFound, InvalidTransition, PreconditionFailed.
    """
    seen = _get(business, appointment_id)
    _refuse_stale(seen, expected)
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
        appointment = _lock(business, appointment_id)
        _refuse_stale(appointment, expected)
        # What was taken over from the row as it was read must still be so.
        if (appointment.status, appointment.staff_id, appointment.service_id) != (
            seen.status,
            seen.staff_id,
            seen.service_id,
        ):
            raise PreconditionFailed
        previous = appointment.start_time, appointment.staff_id
        if wish.service != appointment.service:
            appointment.price, appointment.currency = wish.service.price, business.currency
        _put(appointment, wish.service, place)
        appointment.save()
        events.tell_rescheduled(
            appointment, previous_start=previous[0], previous_staff_id=previous[1], now=now
        )
        return appointment

    return take_place(wish, write)


def cancel_appointment(
    *,
    business: Business,
    appointment_id: int,
    now: datetime,
    reason: str = "",
    expected: datetime | None = None,
) -> Appointment:
    """The appointment, cancelled: its time is free at once. Again: no change, no event.

    Raises NotFound, InvalidTransition, PreconditionFailed.
    """
    return _end(
        business, appointment_id, Status.CANCELLED, now=now, expected=expected, reason=reason
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
    ends it, the rest edits it. Either all of it happens or nothing.

    Raises what `reschedule_appointment`, `cancel_appointment` and `edit_appointment` raise.
    """
    wanted = dict(changes)
    move = {name: wanted.pop(name) for name in ("start", "staff", "service") if name in wanted}
    status = wanted.pop("status", None)
    appointment = _get(business, appointment_id)
    _refuse_stale(appointment, expected)
    if move:
        appointment = reschedule_appointment(
            business=business, appointment_id=appointment_id, now=now, expected=expected, **move
        )
        expected = None
    if status is not None:
        reason = str(wanted.pop("cancellation_reason", "")) if status == Status.CANCELLED else ""
        appointment = _end(
            business, appointment_id, status, now=now, expected=expected, reason=reason
        )
        expected = None
    if wanted:
        appointment = edit_appointment(
            business=business, appointment_id=appointment_id, changes=wanted, expected=expected
        )
    return appointment


def hold_time(
    *,
    business: Business,
    service: Service,
    start: datetime,
    lasts: timedelta,
    now: datetime,
    staff: StaffMember | None = None,
) -> Hold:
    """A hold on a time that could be booked now, for `lasts`. Raises what `take_place` raises."""

    def write(place: Place) -> Hold:
        # Nothing depends on their going; it only keeps the table small.
        Hold.objects.for_business(business).of_staff(place.staff.pk).exclude(
            expires_at__gt=now
        ).delete()
        return Hold.objects.create(
            business=business,
            service=service,
            staff=place.staff,
            start_time=place.start_time,
            end_time=place.end_time,
            busy_start=place.busy_start,
            busy_end=place.busy_end,
            expires_at=now + lasts,
        )

    return take_place(Wish(business, service, staff, start, now), write)


@atomic_write
def release_hold(*, business: Business, hold_id: int) -> None:
    """Frees the time that was held. Raises NotFound."""
    released, _ = Hold.objects.for_business(business).filter(pk=hold_id).delete()
    if not released:
        raise NotFound


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
    events.tell_ended(appointment, now=now)
    return appointment


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


def _staff_of_hold(
    hold: Hold, service: Service, start: datetime, staff: StaffMember | None, now: datetime
) -> StaffMember:
    """Raises HoldExpired, HoldMismatch."""
    if hold.expires_at <= now:
        raise HoldExpired(errors={"hold_id": [HoldExpired.message]})
    for field, same in (
        ("service_id", hold.service_id == service.pk),
        ("start_time", hold.start_time == start),
        ("staff_id", staff is None or hold.staff_id == staff.pk),
    ):
        if not same:
            raise HoldMismatch(errors={field: ["The hold is for another one."]})
    return hold.staff


def _use_up(hold: Hold, now: datetime) -> None:
    """A hold serves one booking. Raises HoldExpired where another one was faster."""
    used, _ = Hold.objects.live(now).filter(pk=hold.pk).delete()
    if not used:
        raise HoldExpired(errors={"hold_id": [HoldExpired.message]})


def _refresh_customer(
    appointment: Appointment, *, now: datetime, booked: bool = False, completed: bool = False
) -> None:
    """Gives the customer their figures anew."""
    # Locks the customer before counting: who counts second sees what the first has done.
    Customer.objects.select_for_update(no_key=True, of=("self",)).filter(
        pk=appointment.customer_id
    ).values_list("pk").first()
    done = Q(status=Status.COMPLETED)
    figures = (
        Appointment.objects.for_business(appointment.business_id)
        .filter(customer=appointment.customer_id)
        .aggregate(
            total=Count("pk", filter=~Q(status=Status.CANCELLED)),
            spent=Sum("price", filter=done),
            last_visit=Max("start_time", filter=done),
            last_booked=Max("created_at"),
        )
    )
    record_activity(
        customer_id=appointment.customer_id,
        total_appointments=figures["total"],
        total_spent=figures["spent"] or Decimal(0),
        last_visit_at=figures["last_visit"],
        last_booked_at=figures["last_booked"],
        booked=booked,
        completed=completed,
        now=now,
    )
