"""Checks many starts against hours and busy time that are read once: of series and visits.

The rules of each start are those of a single booking, by the same functions. What is added here is that
appointments which are booked together count against each other as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from appointments.availability import (
    MAX_INSTANT,
    BookableStarts,
    BookingRules,
    StaffCalendar,
    UnavailabilityReason,
    reason_at,
    slots_within,
    starts_within,
    touches,
)
from appointments.availability_queries import (
    AvailabilityLoader,
    BusyTime,
    StaffKey,
    booking_rules,
)
from appointments.capacity_queries import load_capacity, reject_large_party
from appointments.daily_cap import full_days, starts_of_service
from appointments.models import Appointment
from appointments.resource_locks import lock_all_resources
from kaivox.businesses.models import Business
from services.models import Service
from staff.intervals import Range
from staff.local_time import local_date

MAX_ALTERNATIVES: Final = 3
# Alternatives are searched on so many days from the start that cannot be booked.
_ALTERNATIVE_DAYS: Final = 14


class PartyService(NamedTuple):
    """A service that is booked for a party of `party_size`."""

    service: Service
    party_size: int = 1


class PlannedStart(NamedTuple):
    """An appointment to be booked; `start` in Unix seconds. Without staff where the service needs none."""

    wanted: PartyService
    staff_id: StaffKey
    start: int


def days_to_read(
    business: Business, services: Iterable[Service], starts: Iterable[datetime], now: datetime
) -> tuple[date, date]:
    """The local days of `starts`, and those after them on which alternatives are searched. None is before
    today or after the horizon: no start can be booked there."""
    days = [one.astimezone(business.zone).date() for one in starts]
    latest = max(booking_rules(one, business, now).latest for one in services)
    today = now.astimezone(business.zone).date()
    horizon = local_date(business.zone, latest - 1)
    first = min(max(min(days, default=today), today), horizon)
    last = max(min(max(days, default=today), horizon), first)
    return first, min(last + timedelta(days=_ALTERNATIVE_DAYS), horizon)


class LoadedAvailability:
    """The availability of `staff_ids` for what is `wanted` on the local days `first` to `last`. One query,
    and those of `AvailabilityLoader.calendars` for each service.

    `moved` are appointments that are moved: they do not block their time. Raises PartyTooLarge where no
    start of a service takes the party.
    """

    def __init__(
        self,
        business: Business,
        wanted: Iterable[PartyService],
        staff_ids: Collection[StaffKey],
        first: date,
        last: date,
        *,
        now: datetime,
        moved: Sequence[Appointment] = (),
        locks_resources: bool = False,
    ) -> None:
        # By id, so that the resources of all of them are locked in one order.
        ordered = sorted(set(wanted), key=lambda one: (one.service.pk, one.party_size))
        for one in ordered:
            reject_large_party(*one)
        self._cap = business.daily_cap_per_staff
        self.rules = {
            one: booking_rules(one.service, business, now, party_size=one.party_size)
            for one in ordered
        }
        self._first, self._last = first, last
        self._loader = AvailabilityLoader(business, staff_ids, first, last)
        self._span = self._loader.days.range_of(first, last)
        hours = self._loader.hours(first, last)
        self._busy_time: dict[int, dict[StaffKey, BusyTime]] = {}
        self._calendars: dict[int, dict[StaffKey, StaffCalendar]] = {}
        self._service_starts: dict[int, Counter[date]] = {}
        # Of one service they are the same for every party.
        by_service = {one.service.pk: rules for one, rules in self.rules.items()}
        for service_id, rules in by_service.items():
            busy_time = self._busy_time_for(service_id, rules, now, moved)
            self._busy_time[service_id] = busy_time
            self._calendars[service_id] = {key: replace(one) for key, one in hours.items()}
            self._loader.fill(self._calendars[service_id], busy_time)
        self._capacity = {
            one: load_capacity(
                self._loader,
                one.service,
                rules,
                self._span,
                moved=[appointment.pk for appointment in moved],
                locks=partial(lock_all_resources, one.service) if locks_resources else None,
            )
            for one, rules in self.rules.items()
        }
        for one, capacity in self._capacity.items():
            capacity.reject_missing_kind(self.rules[one])
        self._starts: dict[tuple[PartyService, StaffKey], BookableStarts] = {}
        self._per_day: dict[tuple[int, StaffKey], Counter[date]] = {}

    def starts_for(self, wanted: PartyService, staff_id: StaffKey) -> BookableStarts:
        """The starts at which this person can be booked for `wanted` alone."""
        key = wanted, staff_id
        if key not in self._starts:
            calendar = self._calendars[wanted.service.pk][staff_id]
            self._starts[key] = self._capacity[wanted].starts_of(
                calendar, staff_id, self.rules[wanted], self._span
            )
        return self._starts[key]

    def resources_at(
        self, wanted: PartyService, staff_id: StaffKey, start: datetime
    ) -> tuple[int, ...]:
        """Ids of the resources that a booking at `start`, a bookable one, reserves."""
        starts, at = self.starts_for(wanted, staff_id), int(start.timestamp())
        return self._capacity[wanted].resources_at(at, staff_id, starts)

    def joins(self, wanted: PartyService, staff_id: StaffKey, start: int) -> bool:
        """Whether a booking at `start`, a bookable one, joins a class that has begun to fill. It counts for
        daily caps already."""
        return start in self.starts_for(wanted, staff_id).seats

    def resource_options(
        self, wanted: PartyService, staff_id: StaffKey, start: int
    ) -> list[list[int]]:
        """Of each kind the ids of the resources that a booking at `start`, a bookable one, can have, the
        best first."""
        starts = self.starts_for(wanted, staff_id)
        return self._capacity[wanted].resource_options(start, staff_id, starts)

    def resource_edges(self, wanted: PartyService) -> set[int]:
        """The starts at which the resources that are free for `wanted` may change."""
        resources = self._capacity[wanted].resources
        return set() if resources is None else resources.edges()

    def reasons(self, planned: Iterable[PlannedStart]) -> list[UnavailabilityReason | None]:
        """For each of `planned`, the first rule that makes it not bookable, or None. Those before it
        that are bookable count as booked, with the same person or, without staff, with the same
        resources."""
        blocked: dict[StaffKey, list[Range]] = {}
        per_day: Counter[tuple[StaffKey, date]] = Counter()
        of_service: Counter[tuple[int, date]] = Counter()
        found = []
        for wanted, staff_id, start in planned:
            service, rules = wanted.service, self.rules[wanted]
            reason = reason_at(self.starts_for(wanted, staff_id), rules, start)
            if reason is None:
                own, day = blocked.setdefault(staff_id, []), self.day_of(start)
                joins = self.joins(wanted, staff_id, start)
                admitted = joins or (
                    per_day[staff_id, day] < self.remaining_on(service, staff_id, day)
                    and self.admits(service, day, of_service[service.pk, day] + 1)
                )
                if not admitted or overlaps_any(own, rules, start):
                    reason = UnavailabilityReason.FULLY_BOOKED
                else:
                    own.append(blocked_range(rules, start))
                    per_day[staff_id, day] += not joins
                    of_service[service.pk, day] += not joins
            found.append(reason)
        return found

    def next_starts(
        self, wanted: PartyService, staff_id: StaffKey, start: int, planned: Iterable[PlannedStart]
    ) -> list[int]:
        """The next slots of this person from `start` on that none of `planned` blocks, in order."""
        rules, own = self.rules[wanted], self.starts_for(wanted, staff_id)
        blocked = [
            blocked_range(self.rules[one.wanted], one.start)
            for one in planned
            if one.staff_id == staff_id
        ]
        start = max(start, rules.earliest)

        def bookable() -> Iterable[int]:
            day = self._loader.days.day_of(start)
            for number in range(_ALTERNATIVE_DAYS):
                span = self._loader.days.bounds(day + timedelta(days=number))
                if touches(own.free, span):
                    yield from slots_within([starts_within(own, span)], rules, [span])

        free = (
            slot for slot in bookable() if slot >= start and not overlaps_any(blocked, rules, slot)
        )
        return list(islice(free, MAX_ALTERNATIVES))

    def appointments_on(self, service: Service, staff_id: StaffKey, days: Collection[date]) -> int:
        """How many appointments and holds of this person, of any service, begin on `days`."""
        per_day = self._starts_per_day(service.pk, staff_id)
        return sum(per_day[day] for day in days)

    def day_of(self, start: int) -> date:
        """The local day of `start`."""
        return self._loader.days.day_of(start)

    @property
    def has_cap(self) -> bool:
        """Whether a daily cap can rule out what would be bookable one by one."""
        return self._cap is not None or bool(self._service_starts)

    def remaining_on(self, service: Service, staff_id: StaffKey, day: date) -> int:
        """How many more appointments the daily cap admits for this person on `day`."""
        if self._cap is None or staff_id is None:
            return MAX_INSTANT
        return self._cap - self._starts_per_day(service.pk, staff_id)[day]

    def admits(self, service: Service, day: date, number: int) -> bool:
        """Whether the daily cap of `service` admits `number` more appointments on `day`."""
        cap = service.daily_cap
        return cap is None or self._service_starts[service.pk][day] + number <= cap

    def midnights(self) -> list[int]:
        """The midnights of the days that were read."""
        return [start for _, start, _ in self._loader.days.row(self._first, self._last)]

    def _starts_per_day(self, service_id: int, staff_id: StaffKey) -> Counter[date]:
        key = service_id, staff_id
        if key not in self._per_day:
            own = self._busy_time[service_id][staff_id]
            # The bookings of one class begin together, and count once.
            self._per_day[key] = Counter(map(self.day_of, {*own.starts, *own.held}))
        return self._per_day[key]

    def _busy_time_for(
        self, service_id: int, rules: BookingRules, now: datetime, moved: Sequence[Appointment]
    ) -> dict[StaffKey, BusyTime]:
        """The busy time of each person that can block this service, without `moved`."""
        uncapped = replace(rules, daily_cap=None)
        busy_time = self._loader.busy_time(self._first, self._last, uncapped)
        for one in moved:
            _ignore(one, busy_time)
        if rules.daily_cap is not None:
            days = self._loader.days
            begin, end = (datetime.fromtimestamp(one, UTC) for one in self._span)
            starts = starts_of_service(
                self._loader.business.pk,
                service_id,
                begin,
                end,
                now=now,
                moved=[one.pk for one in moved],
                used=None,
                shares_starts=rules.shares_starts,
            )
            self._service_starts[service_id] = Counter(map(days.day_of, starts))
            for own in busy_time.values():
                own.full = full_days(starts, rules.daily_cap, days)
        return busy_time


def _ignore(appointment: Appointment, busy_time: dict[StaffKey, BusyTime]) -> None:
    """Takes `appointment` out of `busy_time`."""
    own = busy_time.get(appointment.staff_id)
    start = int(appointment.start_time.timestamp())
    if own is None or start not in own.starts:
        return
    own.starts.remove(start)
    blocked = (int(appointment.busy_start.timestamp()), int(appointment.busy_end.timestamp()))
    own.busy.remove(blocked)


def blocked_range(rules: BookingRules, start: int) -> Range:
    """What an appointment at `start` blocks, with its buffers."""
    return start - rules.buffer_before, start + rules.duration + rules.buffer_after


def overlaps_any(blocked: Iterable[Range], rules: BookingRules, start: int) -> bool:
    """Whether the blocked range of an appointment at `start` overlaps one of `blocked`."""
    begin, end = blocked_range(rules, start)
    return any(begin < other_end and other_begin < end for other_begin, other_end in blocked)
