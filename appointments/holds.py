"""What can be done with holds: times kept free for some minutes while a caller makes up their mind.

A hold ends by the clock: its row blocks nothing afterwards, whether somebody deletes it or not.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from appointments.models import Hold
from appointments.places import Place, Wish, take_place
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from kaivox.errors import Conflict, Invalid, NotFound
from services.models import Service
from staff.models import StaffMember


class HoldExpired(Conflict):
    code = "hold_expired"
    message = "This hold has ended. Ask for slots again."


class HoldMismatch(Invalid):
    code = "hold_mismatch"
    message = "This hold is for another time."


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


def staff_of_hold(
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


def use_up(hold: Hold, now: datetime) -> None:
    """A hold serves one booking. Raises HoldExpired where another one was faster."""
    used, _ = Hold.objects.live(now).filter(pk=hold.pk).delete()
    if not used:
        raise HoldExpired(errors={"hold_id": [HoldExpired.message]})
