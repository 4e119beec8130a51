"""Finds times for visits: several services of one customer, back to back, each with a member of staff.

A visit can be booked at a start exactly when each of its services can, by the rules of a single booking,
at its place in the visit. Two things are added: its own appointments do not block each other, and
together they must not exceed a daily cap.

A service begins when the one before it ends, so the place of each is the sum of the durations before
it, with any staff. Where one person performs several, the buffers between these overlap them;
around them, buffers apply as always.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from appointments.availability import (
    BookableStarts,
    UnavailabilityReason,
    is_bookable,
    least_severe,
    reason_at,
    reason_of_day,
    slots_within,
    touches,
)
from appointments.availability_queries import booking_rules
from appointments.loaded_availability import LoadedAvailability
from appointments.models import Appointment
from appointments.slots import Slot, SlotFilter, SlotSearch
from kaivox.businesses.models import Business
from services.models import Service
from staff.intervals import Range, merged, without
from staff.local_time import LocalDays
from staff.models import StaffMember

K = TypeVar("K", bound=Hashable)

MAX_SERVICES: Final = 6


@dataclass(frozen=True, slots=True)
class VisitPart:
    """One service of a visit, with those who may perform it; `offset` in seconds after the visit's
    start."""

    service: Service
    staff: Sequence[StaffMember]
    offset: int


class PartSlot(NamedTuple):
    """When a part of a visit would be, and with whom; Unix seconds."""

    service: Service
    start: int
    end: int
    staff: Sequence[StaffMember]


@dataclass(frozen=True, slots=True)
class VisitSlot(Slot):
    """A start of a visit. Each of the staff of a part can be booked with someone of the others."""

    parts: Sequence[PartSlot] = field(default=())


def back_to_back(
    chosen: Sequence[tuple[Service, Sequence[StaffMember]]],
) -> list[VisitPart]:
    """The parts of a visit of these services in this order, each with those who may perform it."""
    lengths = (service.duration_minutes * 60 for service, _ in chosen)
    offsets = accumulate(lengths, initial=0)
    return [
        VisitPart(service, staff, offset)
        for (service, staff), offset in zip(chosen, offsets, strict=False)
    ]


class VisitAvailability:
    """When `parts` can be booked on the local days `first` to `last` of `business`, and the days on
    which such a visit ends."""

    def __init__(
        self,
        business: Business,
        parts: Sequence[VisitPart],
        first: date,
        last: date,
        *,
        now: datetime,
        moved: Sequence[Appointment] = (),
        locks_resources: bool = False,
    ) -> None:
        self.parts = parts
        services = {part.service.pk: part.service for part in parts}.values()
        people = sorted({one.pk for part in parts for one in part.staff})
        after = timedelta(seconds=max(part.offset for part in parts))
        self._loaded = LoadedAvailability(
            business,
            services,
            people,
            first,
            last + after + timedelta(days=1),
            now=now,
            moved=moved,
            locks_resources=locks_resources,
        )

    def starts(self, span: Range) -> list[Range]:
        """The starts of visits within `span`."""
        found = [span]
        for part in self.parts:
            ranges = (
                (begin - part.offset, end - part.offset)
                for one in part.staff
                for begin, end in self._starts_for(part, one).free
            )
            found = _intersection(found, merged(ranges))
        if self._loaded.has_cap:
            found = [one for one in self._segments(found) if self.assignment(one[0]) is not None]
        return merged(found)

    def options(self, start: int) -> list[list[StaffMember]]:
        """For each part, who can be booked for it in a visit that begins at `start`."""
        alone = [
            [
                one
                for one in part.staff
                if is_bookable(self._starts_for(part, one), start + part.offset)
            ]
            for part in self.parts
        ]
        if not self._loaded.has_cap:
            return alone
        return [
            [
                one
                for one in people
                if self._assigned(start, [*alone[:place], [one], *alone[place + 1 :]]) is not None
            ]
            for place, people in enumerate(alone)
        ]

    def assignment(self, start: int) -> list[StaffMember] | None:
        """Who performs each part of a visit that begins at `start`; None where it cannot be booked.

        One person for all, where there is one; else for each part the person of the part before, if
        they can. Of several the one with the fewest appointments that day; tie: the lowest id.
        """
        alone = [
            [
                one
                for one in part.staff
                if is_bookable(self._starts_for(part, one), start + part.offset)
            ]
            for part in self.parts
        ]
        ordered = [
            sorted(people, key=lambda one: self._load(part, one, start))
            for part, people in zip(self.parts, alone, strict=True)
        ]
        for one in ordered[0]:
            together = self._assigned(start, [[one] if one in people else [] for people in alone])
            if together is not None:
                return together
        chosen: list[list[StaffMember]] = []
        for people in ordered:
            before = chosen[-1][:1] if chosen else []
            chosen.append([*(one for one in before if one in people), *people])
        return self._assigned(start, chosen)

    def resources_at(self, part: VisitPart, staff: StaffMember, start: datetime) -> tuple[int, ...]:
        """Ids of the resources that this part reserves at `start`."""
        return self._loaded.resources_at(part.service, staff.pk, start)

    def reason(self, start: int) -> tuple[VisitPart, UnavailabilityReason] | None:
        """The first part that no one can perform in a visit that begins at `start`, and the reason of
        who is closest to it; None where each can be performed."""
        for part in self.parts:
            at = start + part.offset
            rules = self._loaded.rules[part.service.pk]
            reasons = [reason_at(self._starts_for(part, one), rules, at) for one in part.staff]
            if None not in reasons:
                return part, least_severe([one for one in reasons if one])
        return None

    def reason_of(self, span: Range) -> UnavailabilityReason:
        """Why no visit begins within `span`: the reason of the first part that cannot begin there, or
        that the parts do not fit together."""
        for part in self.parts:
            everyone = [self._starts_for(part, one) for one in part.staff]
            if not any(touches(one.free, span) for one in everyone):
                return reason_of_day(span, everyone, self._loaded.rules[part.service.pk])
        return UnavailabilityReason.FULLY_BOOKED

    def first_part(self, feasible: Sequence[Range]) -> list[BookableStarts]:
        """For each of the staff of the first part, which of the starts `feasible` are theirs, with their
        grid."""
        part = self.parts[0]
        found = []
        for one in part.staff:
            own = self._starts_for(part, one)
            free = _intersection(feasible, own.free)
            found.append(BookableStarts(own.in_hours, own.not_closed, own.not_away, free, own.grid))
        return found

    def _starts_for(self, part: VisitPart, staff: StaffMember) -> BookableStarts:
        return self._loaded.starts_for(part.service, staff.pk)

    def _load(self, part: VisitPart, staff: StaffMember, start: int) -> tuple[int, int]:
        day = self._loaded.day_of(start)
        return self._loaded.appointments_on(part.service, staff.pk, {day}), staff.pk

    def _segments(self, ranges: Iterable[Range]) -> Iterator[Range]:
        """`ranges`, cut where the people who can perform a part change, and at each midnight."""
        edges = {
            edge - part.offset
            for part in self.parts
            for one in part.staff
            for span in self._starts_for(part, one).free
            for edge in span
        }
        edges.update(
            midnight - part.offset for part in self.parts for midnight in self._loaded.midnights()
        )
        ordered = sorted(edges)
        for begin, end in ranges:
            inside = [edge for edge in ordered if begin < edge < end]
            yield from zip([begin, *inside], [*inside, end], strict=True)

    def _assigned(
        self, start: int, options: Sequence[Sequence[StaffMember]]
    ) -> list[StaffMember] | None:
        """One of `options` for each part, the first ones where the daily cap admits them."""
        if not all(options):
            return None
        if not self._loaded.has_cap:
            return [part[0] for part in options]
        days = [self._loaded.day_of(start + part.offset) for part in self.parts]
        keys = [[(one.pk, day) for one in part] for part, day in zip(options, days, strict=True)]
        service = self.parts[0].service
        together = Counter((part.service, day) for part, day in zip(self.parts, days, strict=True))
        if not all(self._loaded.admits(*key, number) for key, number in together.items()):
            return None
        remaining = {key: self._loaded.remaining_on(service, *key) for part in keys for key in part}
        if min(remaining.values()) >= len(self.parts):
            return [part[0] for part in options]
        people = {one.pk: one for part in options for one in part}
        chosen = match(keys, remaining)
        return [people[staff_id] for staff_id, _ in chosen] if chosen else None


def match(options: Sequence[Sequence[K]], remaining: Mapping[K, int]) -> list[K] | None:
    """One of `options` for each place, the first ones where possible, none more often than its `remaining`;
    None where there is no such choice. Kuhn's algorithm for matchings in bipartite graphs."""
    chosen: list[K | None] = [None] * len(options)

    def find(place: int, visited: set[K]) -> bool:
        for key in options[place]:
            if key in visited:
                continue
            visited.add(key)
            holders = [other for other, held in enumerate(chosen) if held == key]
            if len(holders) < remaining[key] or any(find(other, visited) for other in holders):
                chosen[place] = key
                return True
        return False

    if not all(find(place, set()) for place in range(len(options))):
        return None
    return [key for key in chosen if key is not None]


class VisitSearch(SlotSearch):
    """Searches times for a visit of `parts`."""

    def __init__(
        self,
        business: Business,
        parts: Sequence[VisitPart],
        zone: ZoneInfo,
        now: datetime,
        only: SlotFilter,
        moved: Sequence[Appointment] = (),
    ) -> None:
        super().__init__(business, booking_rules(parts[0].service, business, now), zone, only)
        self._parts, self._now, self._moved = parts, now, moved
        self._availability: VisitAvailability | None = None

    def reason(self, span: Range, everyone: Sequence[BookableStarts]) -> UnavailabilityReason:
        if self._availability is None:  # the days are before today, or beyond the horizon
            return reason_of_day(span, (), self.rules)
        return self._availability.reason_of(span)

    def _starts(self, span: Range) -> list[BookableStarts]:
        begin, end = span[0], min(span[1], self.rules.latest)
        if begin >= end or not all(part.staff for part in self._parts):
            return []
        days = LocalDays(self.business.zone)
        self._availability = VisitAvailability(
            self.business,
            self._parts,
            days.day_of(begin),
            days.day_of(end - 1),
            now=self._now,
            moved=self._moved,
        )
        return self._availability.first_part(self._availability.starts((begin, end)))

    def _slots(self, everyone: Sequence[BookableStarts], spans: Iterable[Range]) -> Iterator[Slot]:
        for start in slots_within(everyone, self.rules, spans):
            assert self._availability is not None  # noqa: S101 - for mypy: it has found `everyone`
            parts = [
                PartSlot(
                    part.service,
                    start + part.offset,
                    start + part.offset + part.service.duration_minutes * 60,
                    people,
                )
                for part, people in zip(self._parts, self._availability.options(start), strict=True)
            ]
            yield VisitSlot(start, parts[-1].end, parts[0].staff, parts=parts)


def _intersection(ranges: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    return without(ranges, without(ranges, others))
