"""Which times can be offered, and where there is none: why, and when is the next?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from appointments.availability import (
    FOREVER,
    Starts,
    Terms,
    by_start,
    reason_of_day,
    slots_of,
    starts_of,
    touches,
)
from appointments.roster import NOTHING, Except, Roster, terms_of
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
from services.models import Service
from staff.local_time import DAY_SECONDS, LocalDays
from staff.models import StaffMember
from staff.ranges import Range

# How far ahead the next free time is looked for at once: most often it is near.
_LOOK_AHEAD: Final = (7 * DAY_SECONDS, 31 * DAY_SECONDS, FOREVER)


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that can be booked with any of `staff`."""

    start: int
    end: int
    staff: Sequence[StaffMember]


@dataclass(slots=True)
class Offer:
    """`reasons` by local day, for days without slots. `next_available` after an empty answer."""

    slots: list[Slot] = field(default_factory=list)
    reasons: dict[date, str] = field(default_factory=dict)
    next_available: Slot | None = None


def find_slots(
    *,
    business: Business,
    service: Service,
    staff: StaffMember | None,
    first: date,
    last: date,
    zone: ZoneInfo,
    now: datetime,
    without: Except = NOTHING,
) -> Offer:
    """What can be booked from the local day `first` to `last` of `zone`, both included; with one
    member of staff or with any who performs the service."""
    people = [staff] if staff else people_for(service)
    terms = terms_of(service, business, now)
    search = _Search(business, people, terms, without)
    shown = LocalDays(zone)
    span = shown.range_of(first, last)
    # What is past or beyond the horizon has no slots; today is looked at whole, to tell why.
    today = shown.midnight(shown.day_of(terms.now))
    everyone = search.starts_within((max(span[0], today), min(span[1], terms.latest)))
    offer = Offer(search.slots(everyone))
    days_with_slots = {shown.day_of(slot.start) for slot in offer.slots}
    offer.reasons = {
        day: reason_of_day(shown.bounds(day), everyone, terms).value
        for day in _days(first, last)
        if day not in days_with_slots
    }
    if not offer.slots:
        offer.next_available = search.first_slot_from(max(span[1], terms.now))
    return offer


class _Search:
    """Looks through the time of `people`, whose hours are read once."""

    def __init__(
        self,
        business: Business,
        people: Sequence[StaffMember],
        terms: Terms,
        without: Except,
    ) -> None:
        self.people = people
        self.terms = terms
        self.without = without
        days = LocalDays(business.zone)
        self.roster = Roster(
            business,
            [person.pk for person in people],
            days.day_of(terms.now),
            days.day_of(terms.latest),
        )

    def starts_within(self, span: Range) -> list[Starts]:
        """Of everyone, in order; one query, or none where nobody works."""
        if span[0] >= span[1] or not self.people:
            return []
        first, last = self._local_days(span)
        agendas = self.roster.hours(first, last)
        if any(touches(agenda.windows, span) for agenda in agendas.values()):
            self.roster.fill(agendas, self.roster.taken(first, last, self.terms, self.without))
        return [starts_of(agendas[person.pk], self.terms, span) for person in self.people]

    def slots(self, everyone: Sequence[Starts]) -> list[Slot]:
        """The points of the grid that are free with anyone, in order."""
        people, duration = self.people, self.terms.duration
        free = by_start(slots_of(starts, self.terms) for starts in everyone)
        return [
            Slot(start, start + duration, [people[index] for index in who])
            for start, who in free.items()
        ]

    def first_slot_from(self, start: int) -> Slot | None:
        """The first slot from `start` to the horizon; three queries at most."""
        for ahead in _LOOK_AHEAD:
            end = min(start + ahead, self.terms.latest)
            slots = self.slots(self.starts_within((start, end)))
            if slots:
                return slots[0]
            start = end
        return None

    def _local_days(self, span: Range) -> tuple[date, date]:
        days = self.roster.days
        return days.day_of(span[0]), days.day_of(span[1] - 1)


def people_for(service: Service) -> list[StaffMember]:
    """Those who perform `service` and can be booked: ids and names, by id."""
    return _PEOPLE.rows(business_id=service.business_id, service_id=service.pk)


def _people(business_id: int, service_id: int) -> QuerySet[Any]:
    people = StaffMember.objects.for_business(business_id).active().offering(service_id)
    return people.only("id", "name").order_by("id")


_PEOPLE: Final = Prepared(_people)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
