"""Searches the slots of a service, the reasons of days without any, and the next available slot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby, islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from appointments.availability import (
    BookableStarts,
    BookingRules,
    UnavailabilityReason,
    reason_of_day,
    slots_within,
    starts_within,
    touches,
)
from appointments.availability_queries import (
    NO_EXCLUSIONS,
    AvailabilityLoader,
    Exclusions,
    StaffKey,
    booking_rules,
)
from appointments.capacity_queries import Capacity, load_capacity
from kaivox.businesses.models import Business
from kaivox.businesses.setting_rules import LONGEST_HORIZON_DAYS
from kaivox.db.compiled_query import CompiledQuery
from services.models import Service
from staff.intervals import Range
from staff.local_time import LocalDays
from staff.models import StaffMember

# Minutes of a local day, [start, end).
PARTS_OF_DAY: Final = {
    "morning": (0, 12 * 60),
    "afternoon": (12 * 60, 17 * 60),
    "evening": (17 * 60, 24 * 60),
}

# The next available slot is searched in steps of so many days: most often it is near.
_SEARCH_STEPS: Final = (7, 31, 2 * LONGEST_HORIZON_DAYS)


@dataclass(frozen=True, slots=True)
class Slot:
    """A start that can be booked with any of `staff`, which is empty where the service needs none;
    `start` and `end` in Unix seconds. `seats_left`, of a class, is the largest party that one of them
    can take."""

    start: int
    end: int
    staff: Sequence[StaffMember]
    seats_left: int | None = None


@dataclass(frozen=True, slots=True)
class SlotFilter:
    """Which slots are asked for: those that take `party_size` people. `weekdays` (0 = Monday) and
    `part_of_day` are of the zone in which the slots are shown; None: any. At most `per_day` on one day,
    at most `limit` in all, the first ones."""

    weekdays: Collection[int] | None = None
    part_of_day: str | None = None
    per_day: int | None = None
    limit: int | None = None
    party_size: int = 1


@dataclass(slots=True)
class SlotSearchResult:
    """`reasons` has an entry for each local day that was asked for and has no slot. `next_available`
    is only searched where there are no slots. `missing_kind` is a kind of resource of which none takes
    the party."""

    slots: list[Slot] = field(default_factory=list)
    reasons: dict[date, str] = field(default_factory=dict)
    next_available: Slot | None = None
    missing_kind: str | None = None


def find_slots(
    *,
    business: Business,
    service: Service,
    staff: StaffMember | None,
    first: date,
    last: date,
    zone: ZoneInfo,
    now: datetime,
    without: Exclusions = NO_EXCLUSIONS,
    only: SlotFilter | None = None,
) -> SlotSearchResult:
    """The slots on the local days `first` to `last` of `zone`, both included, with `staff` or with
    anyone who offers the service."""
    search = _ServiceSearch(business, service, staff, zone, now, without, only or SlotFilter())
    return slots_found(search, first, last)


def slots_found(search: SlotSearch, first: date, last: date) -> SlotSearchResult:
    """The slots of `search` on the local days `first` to `last`, with the reasons of days without."""
    # Days in the past or beyond the horizon have no slots. Today is read as a whole, for its reason.
    begin = max(first, search.today)
    end = min(last, search.horizon)
    slots, everyone = search.between(begin, end)
    result = SlotSearchResult(search.limited(slots), missing_kind=search.missing_kind)
    if result.missing_kind is not None:
        return result
    days_with_slots = {search.days.day_of(slot.start) for slot in slots}
    result.reasons = {
        day: search.reason(span, everyone).value
        for day, span in search.spans(first, last)
        if day not in days_with_slots
    }
    if not slots:
        result.next_available = search.next_after(last)
    return result


def next_slots(
    *,
    business: Business,
    service: Service,
    staff: StaffMember | None,
    start: datetime,
    now: datetime,
    limit: int,
    without: Exclusions = NO_EXCLUSIONS,
    party_size: int = 1,
) -> list[Slot]:
    """At most `limit` slots from `start` on, the first ones; of the nearest days that have any.

    Where `start` is in the past or beyond the horizon, from `now` on.
    """
    only = SlotFilter(party_size=party_size)
    search = _ServiceSearch(business, service, staff, business.zone, now, without, only)
    return first_slots(search, start, limit)


def first_slots(search: SlotSearch, start: datetime, limit: int) -> list[Slot]:
    """As `next_slots`, of `search`."""
    earliest = int(start.timestamp())
    if not search.rules.earliest <= earliest < search.rules.latest:
        earliest = search.rules.now
    for first, last in search.steps(search.days.day_of(earliest)):
        found = (slot for slot in search.one_by_one(first, last) if slot.start >= earliest)
        if slots := list(islice(found, limit)):
            return slots
    return []


def slots_between(
    *,
    business: Business,
    service: Service,
    first: date,
    last: date,
    now: datetime,
    party_size: int = 1,
) -> list[Slot]:
    """The slots of anyone who offers the service on the local days `first` to `last` of the business,
    both included, for a party of `party_size`; without reasons, and without a search for later ones."""
    only = SlotFilter(party_size=party_size)
    search = _ServiceSearch(business, service, None, business.zone, now, NO_EXCLUSIONS, only)
    return search.between(max(first, search.today), min(last, search.horizon))[0]


def coming_slots(
    *, business: Business, service: Service, start: datetime, now: datetime, party_size: int = 1
) -> Iterator[Slot]:
    """The slots of the five weeks from `start` on, for a party of `party_size` with anyone who offers
    `service`, in order. They are computed as they are asked for, day by day."""
    only = SlotFilter(party_size=party_size)
    search = _ServiceSearch(business, service, None, business.zone, now, NO_EXCLUSIONS, only)
    earliest = max(int(start.timestamp()), search.rules.earliest)
    for first, last in islice(search.steps(search.days.day_of(earliest)), 2):
        yield from (slot for slot in search.one_by_one(first, last) if slot.start >= earliest)


class SlotSearch(ABC):
    """Searches the local days of `zone` for slots. Subclasses say which starts are bookable.

    `rules` are those of what begins at a slot, in the time zone of `business`.
    """

    missing_kind: str | None = None

    def __init__(
        self, business: Business, rules: BookingRules, zone: ZoneInfo, only: SlotFilter
    ) -> None:
        self.business, self.rules, self.only = business, rules, only
        self.days = LocalDays(zone)
        self.today = self.days.day_of(rules.now)
        self.horizon = self.days.day_of(rules.latest - 1)

    def between(self, first: date, last: date) -> tuple[list[Slot], list[BookableStarts]]:
        """The slots on the local days `first` to `last`, in order, and each person's starts."""
        everyone = self._starts(self.days.range_of(first, last)) if first <= last else []
        spans = (span for _, span in self.spans(first, last))
        return list(self._slots(everyone, spans)), everyone

    def one_by_one(self, first: date, last: date) -> Iterator[Slot]:
        """The same slots, computed day by day: where only the first ones are needed, the rest of a
        free month takes longer than the search."""
        everyone = self._starts(self.days.range_of(first, last))
        for _, span in self.spans(first, last):
            if any(touches(starts.free, span) for starts in everyone):
                yield from self._slots([starts_within(one, span) for one in everyone], [span])

    def next_after(self, day: date) -> Slot | None:
        """The first slot after the local day `day`, up to the horizon; three queries at most."""
        for first, last in self.steps(max(day + timedelta(days=1), self.today)):
            slot = next(self.one_by_one(first, last), None)
            if slot is not None:
                return slot
        return None

    def steps(self, day: date) -> Iterator[tuple[date, date]]:
        """The days from `day` to the horizon in ranges that grow."""
        for length in _SEARCH_STEPS:
            if day > self.horizon:
                return
            last = min(day + timedelta(days=length - 1), self.horizon)
            yield day, last
            day = last + timedelta(days=1)

    def spans(self, first: date, last: date) -> Iterator[tuple[date, Range]]:
        """The local days that are asked for, each with the time of it that is asked for."""
        weekdays, part = self.only.weekdays, self.only.part_of_day
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            if weekdays is not None and day.weekday() not in weekdays:
                continue
            if part is None:
                yield day, self.days.bounds(day)
            else:
                begin, end = PARTS_OF_DAY[part]
                yield day, (self.days.instant(day, begin), self.days.instant(day, end))

    def limited(self, slots: list[Slot]) -> list[Slot]:
        """The first of `slots`, as many as are asked for."""
        per_day = self.only.per_day
        if per_day is not None:
            days = groupby(slots, key=lambda slot: self.days.day_of(slot.start))
            slots = [slot for _, own in days for slot in islice(own, per_day)]
        return slots[: self.only.limit]

    def reason(self, span: Range, everyone: Sequence[BookableStarts]) -> UnavailabilityReason:
        """Why there is no slot within `span`, a day or a part of one."""
        return reason_of_day(span, everyone, self.rules)

    @abstractmethod
    def _slots(self, everyone: Sequence[BookableStarts], spans: Iterable[Range]) -> Iterator[Slot]:
        """The slots within `spans`, in order."""

    @abstractmethod
    def _starts(self, span: Range) -> list[BookableStarts]:
        """Each person's starts within `span`."""


class _ServiceSearch(SlotSearch):
    """Searches the calendars of the people who can be booked. Their hours are read once, their busy
    time once for each range of days."""

    def __init__(
        self,
        business: Business,
        service: Service,
        staff: StaffMember | None,
        zone: ZoneInfo,
        now: datetime,
        without: Exclusions,
        only: SlotFilter,
    ) -> None:
        rules = booking_rules(service, business, now, party_size=only.party_size)
        super().__init__(business, rules, zone, only)
        self.people = performers(service, staff)
        self.service, self.without = service, without
        own_days = LocalDays(business.zone)
        self.loader = AvailabilityLoader(
            business,
            [key_of(person) for person in self.people],
            own_days.day_of(self.rules.now),
            own_days.day_of(self.rules.latest),
        )

    def _slots(self, everyone: Sequence[BookableStarts], spans: Iterable[Range]) -> Iterator[Slot]:
        for start, who in slots_within(everyone, self.rules, spans).items():
            people = [one for index in who if (one := self.people[index]) is not None]
            seats = None
            if self.service.is_class:
                seats = max(everyone[one].seats.get(start, self.rules.capacity) for one in who)
            yield Slot(start, start + self.rules.duration, people, seats)

    def _starts(self, span: Range) -> list[BookableStarts]:
        """Each person's starts within `span`; no query where no one works."""
        begin, end = span[0], min(span[1], self.rules.latest)
        if begin >= end or not self.people:
            return []
        first, last = self.loader.days.day_of(begin), self.loader.days.day_of(end - 1)
        calendars, capacity = self.loader.hours(first, last), Capacity(self.service)
        if not self.service.needs_staff or any(
            touches(calendar.windows, (begin, end)) for calendar in calendars.values()
        ):
            busy_time = self.loader.busy_time(first, last, self.rules, self.without)
            self.loader.fill(calendars, busy_time)
            capacity = load_capacity(
                self.loader, self.service, self.rules, (begin, end), self.without
            )
        self.missing_kind = capacity.missing_kind()
        return [
            capacity.starts_of(calendars[key], key, self.rules, (begin, end))
            for key in map(key_of, self.people)
        ]


def performers(service: Service, staff: StaffMember | None) -> Sequence[StaffMember | None]:
    """Who can perform `service`: `staff`, or else all active ones who offer it, by id. [None] where the
    service needs no staff."""
    if not service.needs_staff:
        return [None]
    return [staff] if staff else staff_offering(service)


def key_of(staff: StaffMember | None) -> StaffKey:
    """The id of `staff`; None where there is none."""
    return None if staff is None else staff.pk


def staff_offering(service: Service) -> list[StaffMember]:
    """The active staff who offer `service`, by id, with their ids and names only."""
    return _STAFF_OFFERING.rows(business_id=service.business_id, service_id=service.pk)


def _staff_rows(business_id: int, service_id: int) -> QuerySet[Any]:
    people = StaffMember.objects.for_business(business_id).active().offering(service_id)
    return people.only("id", "name").order_by("id")


_STAFF_OFFERING: Final = CompiledQuery(_staff_rows)
