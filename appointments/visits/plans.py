"""Finds times for visits: several services of one customer, back to back, each with a member of staff.

A visit can be booked at a start exactly when each of its services can, by the rules of a single booking,
at its place in the visit. Two things are added: its own appointments do not block each other, and
together they must not exceed a daily cap.

A service begins when the one before it ends, so the place of each is the sum of the durations before
it, with any staff. Where one person performs several, or several need the same resource, the buffers
between these overlap them (`blocked_ranges`); around them, buffers apply as always.

The appointments of a visit that is moved may have been moved one by one before, to the same time. Then
none may have a member of staff or a resource of another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import accumulate, combinations
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
from appointments.loaded_availability import LoadedAvailability, PartyService
from appointments.models import Appointment
from appointments.slots import Slot, SlotFilter, SlotSearch, key_of
from appointments.visits.resource_choice import choose_resources
from kaivox.businesses.models import Business
from services.models import Service
from staff.intervals import Range, intersection, merged
from staff.local_time import LocalDays
from staff.models import StaffMember

K = TypeVar("K", bound=Hashable)

MAX_SERVICES: Final = 6


@dataclass(frozen=True, slots=True)
class VisitPart:
    """One service of a visit, with its `performers`; `offset` in seconds after the visit's start."""

    wanted: PartyService
    staff: Sequence[StaffMember | None]
    offset: int

    @property
    def service(self) -> Service:
        return self.wanted.service

    @property
    def end(self) -> int:
        return self.offset + self.service.duration_minutes * 60


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
    chosen: Sequence[tuple[Service, Sequence[StaffMember | None]]], party_size: int = 1
) -> list[VisitPart]:
    """The parts of a visit of these services in this order, each with those who may perform it, for a
    party."""
    lengths = (service.duration_minutes * 60 for service, _ in chosen)
    offsets = accumulate(lengths, initial=0)
    return [
        VisitPart(PartyService(service, party_size), staff, offset)
        for (service, staff), offset in zip(chosen, offsets, strict=False)
    ]


class VisitAvailability:
    """When `parts` can be booked on the local days `first` to `last` of `business`, and the days on
    which such a visit ends. Raises PartyTooLarge."""

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
        self._simultaneous = [
            (place, other)
            for (place, one), (other, two) in combinations(enumerate(parts), 2)
            if one.offset < two.end and two.offset < one.end
        ]
        # Back to back they never are; where they are moved, each has one member of staff.
        self._needs_two_at_once = any(
            parts[one].staff == parts[other].staff != [None] for one, other in self._simultaneous
        )
        self._shares_kinds = any(
            set(parts[one].service.resource_kinds) & set(parts[other].service.resource_kinds)
            for one, other in self._simultaneous
        )
        people = {key_of(one) for part in parts for one in part.staff}
        after = timedelta(seconds=max(part.offset for part in parts))
        self._loaded = LoadedAvailability(
            business,
            {part.wanted for part in parts},
            sorted(people, key=lambda key: key or 0),
            first,
            last + after + timedelta(days=1),
            now=now,
            moved=moved,
            locks_resources=locks_resources,
        )

    def starts(self, span: Range) -> list[Range]:
        """The starts of visits within `span`."""
        if self._needs_two_at_once:
            return []
        found = [span]
        for part in self.parts:
            ranges = (
                (begin - part.offset, end - part.offset)
                for one in part.staff
                for begin, end in self._starts_for(part, one).free
            )
            found = intersection(found, merged(ranges))
        if self._loaded.has_cap or self._shares_kinds:
            found = [one for one in self._segments(found) if self.assignment(one[0]) is not None]
        return merged(found)

    def options(self, start: int) -> list[list[StaffMember | None]]:
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

    def assignment(self, start: int) -> list[tuple[StaffMember | None, tuple[int, ...]]] | None:
        """Who performs each part of a visit that begins at `start`, and the ids of the resources that it
        reserves; None where it cannot be booked."""
        staff = None if self._needs_two_at_once else self._staff_for(start)
        if staff is None:
            return None
        options = [
            self._loaded.resource_options(part.wanted, key_of(one), start + part.offset)
            for part, one in zip(self.parts, staff, strict=True)
        ]
        resources = choose_resources(options, self._simultaneous)
        return None if resources is None else list(zip(staff, resources, strict=True))

    def reason(self, start: int) -> tuple[VisitPart, UnavailabilityReason] | None:
        """The first part that no one can perform in a visit that begins at `start`, and the reason of
        who is closest to it; None where each can be performed."""
        for part in self.parts:
            at = start + part.offset
            rules = self._loaded.rules[part.wanted]
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
                return reason_of_day(span, everyone, self._loaded.rules[part.wanted])
        return UnavailabilityReason.FULLY_BOOKED

    def first_part(self, feasible: Sequence[Range]) -> list[BookableStarts]:
        """For each of the staff of the first part, which of the starts `feasible` are theirs, with their
        grid."""
        part = self.parts[0]
        found = []
        for one in part.staff:
            own = self._starts_for(part, one)
            free = intersection(feasible, own.free)
            found.append(replace(own, free=free, seats={}))
        return found

    def _staff_for(self, start: int) -> list[StaffMember | None] | None:
        """Who performs each part of a visit that begins at `start`; None where that cannot be.

        One person for all that need one, where there is one; else for each part the person of the part
        before, if they can. Of several the one with the fewest appointments that day; tie: the lowest id.
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
        # `people` is [None] where the part needs no staff.
        for one in next((people for people in ordered if people != [None]), [None]):
            together = self._assigned(
                start,
                [
                    people if people == [None] else [one] if one in people else []
                    for people in alone
                ],
            )
            if together is not None:
                return together
        chosen: list[list[StaffMember | None]] = []
        for people in ordered:
            before = chosen[-1][:1] if chosen else []
            chosen.append([*(one for one in before if one in people), *people])
        return self._assigned(start, chosen)

    def _starts_for(self, part: VisitPart, staff: StaffMember | None) -> BookableStarts:
        return self._loaded.starts_for(part.wanted, key_of(staff))

    def _load(self, part: VisitPart, staff: StaffMember | None, start: int) -> tuple[int, int]:
        day, key = self._loaded.day_of(start), key_of(staff)
        return self._loaded.appointments_on(part.service, key, {day}), key or 0

    def _segments(self, ranges: Iterable[Range]) -> Iterator[Range]:
        """`ranges`, cut where the people or resources that are free for a part change, and at each
        midnight."""
        edges = {
            edge - part.offset
            for part in self.parts
            for one in part.staff
            for span in self._starts_for(part, one).free
            for edge in span
        }
        edges.update(
            edge - part.offset
            for part in self.parts
            if self._shares_kinds
            for edge in self._loaded.resource_edges(part.wanted)
        )
        edges.update(
            midnight - part.offset for part in self.parts for midnight in self._loaded.midnights()
        )
        ordered = sorted(edges)
        for begin, end in ranges:
            inside = [edge for edge in ordered if begin < edge < end]
            yield from zip([begin, *inside], [*inside, end], strict=True)

    def _assigned(
        self, start: int, options: Sequence[Sequence[StaffMember | None]]
    ) -> list[StaffMember | None] | None:
        """One of `options` for each part, the first ones where the daily cap admits them; of a class one
        that has begun to fill, where there is one."""
        if not all(options):
            return None
        joined = [
            self._joining(part, start, own) for part, own in zip(self.parts, options, strict=True)
        ]
        options = [joining or own for joining, own in zip(joined, options, strict=True)]
        if not self._loaded.has_cap:
            return [part[0] for part in options]
        # Those that join a class count already, for every cap.
        counted = [place for place, joining in enumerate(joined) if not joining]
        days = {place: self._loaded.day_of(start + self.parts[place].offset) for place in counted}
        together = Counter((self.parts[place].service, day) for place, day in days.items())
        if not all(self._loaded.admits(*key, number) for key, number in together.items()):
            return None
        service = self.parts[0].service
        keys = [[(key_of(one), day) for one in options[place]] for place, day in days.items()]
        remaining = {key: self._loaded.remaining_on(service, *key) for part in keys for key in part}
        chosen = match(keys, remaining)
        if chosen is None:
            return None
        people = {key_of(one): one for part in options for one in part}
        found = [part[0] for part in options]
        for place, (staff_id, _) in zip(counted, chosen, strict=True):
            found[place] = people[staff_id]
        return found

    def _joining(
        self, part: VisitPart, start: int, staff: Sequence[StaffMember | None]
    ) -> list[StaffMember | None]:
        """Those of `staff` with whom `part` joins a class that has begun to fill."""
        if not part.service.is_class:
            return []
        at = start + part.offset
        return [one for one in staff if self._loaded.joins(part.wanted, key_of(one), at)]


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
                    [one for one in people if one is not None],
                )
                for part, people in zip(self._parts, self._availability.options(start), strict=True)
            ]
            yield VisitSlot(start, parts[-1].end, parts[0].staff, parts=parts)
