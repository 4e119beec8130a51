"""Operations on holds: slots reserved for some minutes while a customer decides.

A hold ends by the clock: after `expires_at` its row blocks nothing. Ended holds stay for a day, so
that a booking that comes too late gets `hold_expired`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from appointments.models import Hold, HoldQuerySet
from appointments.reservations import (
    BookingRequest,
    ReservedSlot,
    reject_needless,
    reserve_slot,
)
from appointments.waitlist.models import WaitlistEntry, WaitlistStatus
from kaivox.businesses.models import ApiKey, Business
from kaivox.db.transactions import advisory_lock, atomic_write
from kaivox.errors import Conflict, NotFound, PreconditionFailed
from services.models import Service
from staff.models import StaffMember

MAX_OPEN_HOLDS: Final = 20  # of one API key
_RETENTION: Final = timedelta(days=1)


class HoldExpired(Conflict):
    code = "hold_expired"
    message = "This hold has ended. Ask for slots again."


class HoldMismatch(Conflict):
    code = "hold_mismatch"
    message = "This hold is for another time, service or member of staff."


class TooManyHolds(Conflict):
    code = "too_many_holds"
    message = (
        f"This API key has {MAX_OPEN_HOLDS} open holds. Book or delete one, or wait until it ends."
    )


def place_hold(
    *,
    business: Business,
    service: Service,
    start: datetime,
    lasts: timedelta,
    now: datetime,
    staff: StaffMember | None = None,
    party_size: int = 1,
    created_by_key: ApiKey | None = None,
) -> Hold:
    """Holds a slot that could be booked now for a party, for `lasts`.

    Raises what `reserve_slot` raises, and TooManyHolds where `created_by_key` has as many open holds
    as a key may have.
    """

    def write(slot: ReservedSlot) -> Hold:
        holds: HoldQuerySet = Hold.objects.for_business(business)
        _delete_old(holds.for_staff(slot.staff.pk) if slot.staff else holds.without_staff(), now)
        if created_by_key is not None:
            # Two requests of one key for two members of staff hold different row locks.
            advisory_lock("open holds", created_by_key.pk)
            if holds.live(now).filter(created_by_key=created_by_key).count() >= MAX_OPEN_HOLDS:
                raise TooManyHolds
        return new_hold(
            business, service, slot, expires_at=now + lasts, created_by_key=created_by_key
        )

    request = BookingRequest(business, service, staff, start, now, party_size=party_size)
    return reserve_slot(request, write)


def _delete_old(holds: HoldQuerySet, now: datetime) -> None:
    """Nothing depends on this; it limits the size of the table. So it waits for no one: those that
    another transaction deletes are left to it."""
    old = holds.filter(expires_at__lte=now - _RETENTION)
    ids = list(old.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
    if ids:
        Hold.objects.filter(pk__in=ids).delete()


def new_hold(
    business: Business,
    service: Service,
    slot: ReservedSlot,
    *,
    expires_at: datetime,
    created_by_key: ApiKey | None = None,
    waitlist_entry: WaitlistEntry | None = None,
) -> Hold:
    """Inserts a hold on a slot that is reserved until the transaction ends."""
    return Hold.objects.create(
        business=business,
        service=service,
        staff=slot.staff,
        start_time=slot.start_time,
        end_time=slot.end_time,
        busy_start=slot.busy_start,
        busy_end=slot.busy_end,
        party_size=slot.party_size,
        resource_ids=list(slot.resource_ids),
        expires_at=expires_at,
        created_by_key=created_by_key,
        waitlist_entry=waitlist_entry,
    )


@atomic_write
def extend_hold(
    *,
    business: Business,
    hold_id: int,
    lasts: timedelta,
    now: datetime,
    expected: datetime | None = None,
) -> Hold:
    """Lets a hold end `lasts` from now. Raises NotFound, PreconditionFailed, HoldExpired: its slot may
    be reserved for someone else by then."""
    hold = _lock(business, hold_id, expected)
    if hold.expires_at <= now:
        raise HoldExpired
    hold.expires_at = now + lasts
    hold.save(update_fields=["expires_at", "updated_at"])
    if hold.waitlist_entry_id is not None:
        WaitlistEntry.objects.filter(pk=hold.waitlist_entry_id).update(
            offer_expires_at=hold.expires_at
        )
    return hold


@atomic_write
def release_hold(
    *, business: Business, hold_id: int, now: datetime, expected: datetime | None = None
) -> Hold:
    """Ends a hold now; one that has ended stays as it is. Raises NotFound, PreconditionFailed."""
    hold = _lock(business, hold_id, expected)
    if hold.expires_at > now:
        hold.expires_at = now
        hold.save(update_fields=["expires_at", "updated_at"])
    return hold


def validate_hold(
    hold: Hold, service: Service, start: datetime, staff: StaffMember | None, now: datetime
) -> StaffMember | None:
    """The member of staff of `hold`, which must be for this service, start and member of staff; None
    where it has none, or the service needs none any more. Raises HoldExpired, HoldMismatch, and
    StaffNotQualified for a `staff` that is not needed."""
    reject_needless(service, staff)
    if hold.expires_at <= now:
        raise HoldExpired(errors={"hold_id": [HoldExpired.message]})
    for field, matches in (
        ("service_id", hold.service_id == service.pk),
        ("start_time", hold.start_time == start),
        ("staff_id", staff is None or hold.staff_id == staff.pk),
    ):
        if not matches:
            raise HoldMismatch(errors={field: ["The hold is for another one."]})
    return hold.staff if service.needs_staff else None


def consume_hold(hold: Hold, now: datetime) -> None:
    """Deletes the hold, as it serves one booking or move. Raises HoldExpired where another request
    has used or released it."""
    deleted, _ = Hold.objects.live(now).filter(pk=hold.pk).delete()
    if not deleted:
        raise HoldExpired(errors={"hold_id": [HoldExpired.message]})
    if hold.waitlist_entry_id is not None:
        WaitlistEntry.objects.filter(pk=hold.waitlist_entry_id).update(
            status=WaitlistStatus.BOOKED, hold_id=None
        )


def _lock(business: Business, hold_id: int, expected: datetime | None) -> Hold:
    holds = Hold.objects.for_business(business).select_related("service", "staff")
    hold: Hold | None = (
        holds.select_for_update(no_key=True, of=("self",)).filter(pk=hold_id).first()
    )
    if hold is None:
        raise NotFound
    if expected is not None and hold.updated_at != expected:
        raise PreconditionFailed
    return hold
