"""The waiting list: customers who wait for a time that is not free yet.

A freed time is held for the first who fits, and `waitlist.offered` reports it. The booking
sends the `hold_id` of the offer; an offer that is not answered before its hold ends goes to the next.
Times are searched by a periodic task, so every way in which one becomes free counts: a cancellation, a
move, an ended hold, other hours, a new member of staff, or the horizon that moves on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final

from django.conf import settings
from django.db.models import Exists, F, OuterRef, QuerySet

from appointments.capacity_queries import reject_large_party, reject_missing_kind
from appointments.holds import new_hold
from appointments.models import Hold
from appointments.reservations import (
    BookingRequest,
    ReservedSlot,
    reject_inactive,
    reject_unqualified,
    reserve_slot,
)
from appointments.resource_locks import missing_kind
from appointments.slots import PARTS_OF_DAY, Slot, slots_between
from appointments.waitlist.models import WaitlistEntry, WaitlistStatus
from appointments.waitlist.serializers import WaitlistEntrySerializer
from customers.models import Customer
from customers.operations import reject_erased
from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business
from kaivox.db.outages import sum_of_each
from kaivox.db.transactions import advisory_lock, atomic_write
from kaivox.errors import Conflict, DomainError, Invalid, NotFound, PreconditionFailed
from services.models import Service
from staff.models import StaffMember
from webhooks.operations import record_event

logger = logging.getLogger(__name__)

MAX_OPEN_ENTRIES: Final = 500  # of one business
MAX_UNANSWERED_OFFERS: Final = 3
LONGEST_RANGE: Final = timedelta(days=30)  # from the first day to the last

_OPEN: Final = (WaitlistStatus.WAITING, WaitlistStatus.OFFERED)
# So many times may be booked by others while one entry is served; the next run goes on.
_MAX_ATTEMPTS: Final = 3


class AlreadyWaiting(Conflict):
    code = "already_waiting"
    message = "This customer already waits for this service."


class WaitlistFull(Conflict):
    code = "waitlist_full"
    message = f"{MAX_OPEN_ENTRIES} entries are open. Remove some first."


class _NotWaiting(Exception):
    """The entry was cancelled or offered another time since it was read."""


@atomic_write
def join_waitlist(
    *,
    business: Business,
    customer: Customer,
    service: Service,
    date_from: date,
    now: datetime,
    date_to: date | None = None,
    staff: StaffMember | None = None,
    part_of_day: str = "",
    party_size: int = 1,
) -> WaitlistEntry:
    """Adds a customer who waits for any time on the local days `date_from` to `date_to` (the same day
    if None), both included, in `part_of_day` (a `PartOfDay`) or at any time of the day.

    Raises AlreadyWaiting, WaitlistFull, CustomerErased, Inactive, StaffNotQualified, PartyTooLarge, and Invalid for
    days in the past, in the wrong order, or more than LONGEST_RANGE apart.
    """
    last = date_to or date_from
    _check_days(date_from, date_to, today=now.astimezone(business.zone).date())
    reject_inactive(service, staff)
    if staff is not None:
        reject_unqualified(service, staff)
    reject_large_party(service, party_size)
    reject_missing_kind(service, party_size, missing_kind(service, party_size))
    # Of two requests at once the second sees what the first has written.
    advisory_lock("waitlist", business.pk)
    waiting = WaitlistEntry.objects.filter(business=business, status__in=_OPEN)
    if waiting.filter(customer=customer, service=service).exists():
        raise AlreadyWaiting
    if waiting.count() >= MAX_OPEN_ENTRIES:
        raise WaitlistFull
    # Locks the customer, whose data another transaction may be erasing.
    reject_erased(Customer.objects.select_for_update(no_key=True).get(pk=customer.pk))
    entry = WaitlistEntry.objects.create(
        business=business,
        customer=customer,
        service=service,
        staff=staff,
        date_from=date_from,
        date_to=last,
        part_of_day=part_of_day,
        party_size=party_size,
    )
    _audit(entry, "waitlist.joined", now)
    return entry


@atomic_write
def leave_waitlist(
    *, business: Business, entry_id: int, now: datetime, expected: datetime | None = None
) -> WaitlistEntry:
    """Cancels an open entry and frees the time that it was offered; one that is closed stays as it is.

    Raises NotFound, PreconditionFailed.
    """
    # Holds first, as where one is booked: two transactions never wait for each other.
    offered = Hold.objects.live(now).filter(business=business, waitlist_entry=entry_id)
    offered.update(expires_at=now)
    rows = entries().select_for_update(no_key=True, of=("self",))
    entry = rows.filter(business=business, pk=entry_id).first()
    if entry is None:
        raise NotFound
    if expected is not None and entry.updated_at != expected:
        raise PreconditionFailed
    if entry.status in _OPEN:
        entry.status, entry.hold_id = WaitlistStatus.CANCELLED, None
        entry.save(update_fields=["status", "hold_id", "updated_at"])
        _audit(entry, "waitlist.left", now)
    return entry


def offer_free_times(*, now: datetime) -> int:
    """Closes offers that were not answered and entries whose days have passed, and offers free times
    to those who wait. Returns how many offers it made.

    Within a business those with fewer unanswered offers come first, then those who joined earlier:
    no entry is passed over for a later one, and one that never answers does not keep others waiting.
    """
    expire_offers(now=now)
    waiting = WaitlistEntry.objects.filter(status=WaitlistStatus.WAITING)
    businesses = Business.objects.filter(pk__in=waiting.values("business"), suspended_at=None)
    return sum_of_each(
        businesses.order_by("pk"),
        lambda business: _Offers(business, now).make(),
        failure="Free times of %s cannot be offered",
    )


@atomic_write
def expire_offers(*, now: datetime) -> None:
    """Lets those wait again whose offer has ended unanswered, for the last time after
    MAX_UNANSWERED_OFFERS, and closes entries of erased customers and those whose last day is over."""
    held = Hold.objects.live(now).filter(waitlist_entry=OuterRef("pk"))
    ended = WaitlistEntry.objects.filter(~Exists(held), status=WaitlistStatus.OFFERED)
    again = {"hold_id": None, "unanswered_offers": F("unanswered_offers") + 1}
    few = {"unanswered_offers__lt": MAX_UNANSWERED_OFFERS - 1}
    ended.filter(**few).update(status=WaitlistStatus.WAITING, **again)
    ended.exclude(**few).update(status=WaitlistStatus.EXPIRED, **again)
    for entry in WaitlistEntry.objects.filter(
        status__in=_OPEN, customer__erased_at__isnull=False
    ).select_related("business"):
        leave_waitlist(business=entry.business, entry_id=entry.pk, now=now)
    # The zones of the world: a day that is over everywhere is over here.
    waiting = WaitlistEntry.objects.filter(status=WaitlistStatus.WAITING)
    maybe_over = waiting.filter(date_to__lt=(now + timedelta(hours=14)).date())
    over = [
        entry.pk
        for entry in maybe_over.select_related("business")
        if entry.date_to < now.astimezone(entry.business.zone).date()
    ]
    waiting.filter(pk__in=over).update(status=WaitlistStatus.EXPIRED)


def entries() -> QuerySet[WaitlistEntry]:
    """All entries, with the rows that the API shows of them."""
    return WaitlistEntry.objects.select_related(
        "business", "customer", "service", "staff", "offered_staff"
    )


class _Offers:
    """One run over the waiting entries of one business. The slots of a service are searched once for
    each month that anyone waits for."""

    def __init__(self, business: Business, now: datetime) -> None:
        self.business, self.now = business, now
        self.expires_at = now + timedelta(seconds=settings.WAITLIST_OFFER_SECONDS)
        self._months: dict[tuple[int, int, date], list[Slot]] = {}

    def make(self) -> int:
        waiting = entries().filter(business=self.business, status=WaitlistStatus.WAITING)
        in_order = waiting.filter(service__is_active=True).order_by(
            "unanswered_offers", "created_at", "pk"
        )
        return sum(map(self._offer_one, in_order))

    def _offer_one(self, entry: WaitlistEntry) -> bool:
        """Whether the entry was offered a time."""
        for slot in islice(self._slots_for(entry), _MAX_ATTEMPTS):
            try:
                self._offer(entry, datetime.fromtimestamp(slot.start, UTC))
            except DomainError as error:  # booked by someone else meanwhile, say
                logger.debug("No offer to waitlist entry %s: %s", entry.pk, error.code)
            except _NotWaiting:
                return False
            else:
                self._months.clear()  # this time is no longer free
                return True
        return False

    def _slots_for(self, entry: WaitlistEntry) -> Iterator[Slot]:
        zone, staff_id = self.business.zone, entry.staff_id
        part = PARTS_OF_DAY[entry.part_of_day] if entry.part_of_day else None
        for slot in self._slots_between(entry):
            local = datetime.fromtimestamp(slot.start, zone)
            minute = local.hour * 60 + local.minute
            if not entry.date_from <= local.date() <= entry.date_to:
                continue
            if part is not None and not part[0] <= minute < part[1]:
                continue
            if staff_id is not None and all(person.pk != staff_id for person in slot.staff):
                continue
            # One that was not answered is not offered again to the same person.
            last = entry.offered_start_time
            if last is None or slot.start != int(last.timestamp()):
                yield slot

    def _slots_between(self, entry: WaitlistEntry) -> Iterator[Slot]:
        month = entry.date_from.replace(day=1)
        while month <= entry.date_to:
            following = (month + timedelta(days=31)).replace(day=1)
            key = (entry.service_id, entry.party_size, month)
            if key not in self._months:
                last_day = following - timedelta(days=1)
                self._months[key] = slots_between(
                    business=self.business,
                    service=entry.service,
                    first=month,
                    last=last_day,
                    now=self.now,
                    party_size=entry.party_size,
                )
            yield from self._months[key]
            month = following

    def _offer(self, entry: WaitlistEntry, start: datetime) -> None:
        """Holds the time and records `waitlist.offered`. Raises what `reserve_slot` raises, and
        _NotWaiting."""

        def write(slot: ReservedSlot) -> None:
            hold = new_hold(
                self.business,
                entry.service,
                slot,
                expires_at=self.expires_at,
                waitlist_entry=entry,
            )
            changed = WaitlistEntry.objects.filter(
                pk=entry.pk, status=WaitlistStatus.WAITING
            ).update(
                status=WaitlistStatus.OFFERED,
                hold_id=hold.pk,
                offered_start_time=slot.start_time,
                offered_staff=slot.staff,
                offer_expires_at=self.expires_at,
            )
            if not changed:
                raise _NotWaiting
            offered = entries().get(pk=entry.pk)
            data = WaitlistEntrySerializer.render(offered)
            record_event(business=self.business, type="waitlist.offered", data=data, now=self.now)

        request = BookingRequest(
            self.business, entry.service, entry.staff, start, self.now, party_size=entry.party_size
        )
        reserve_slot(request, write)


def _check_days(first: date, last: date | None, *, today: date) -> None:
    """Raises Invalid, which names `date_to` only where the request has it."""
    if last is None:
        if first < today:
            raise Invalid(errors={"date_from": ["This day is in the past."]})
        return
    if last < first:
        raise Invalid(errors={"date_to": ["It is before date_from."]})
    if last < today:
        raise Invalid(errors={"date_to": ["This day is in the past."]})
    if last - first > LONGEST_RANGE:
        raise Invalid(errors={"date_to": ["Wait for at most 31 days."]})


def _audit(entry: WaitlistEntry, action: str, now: datetime) -> None:
    record_audit(
        business=entry.business, actor=None, action=action, subject=entry, changes={}, now=now
    )
