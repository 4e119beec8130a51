"""Cuts the blocked ranges of a visit's own appointments, so that they do not overlap.

Between two appointments of one visit with the same member of staff, or the same resource, no buffer
applies: it is for the next customer. Their rows must not overlap all the same, and together they must
block what each would block alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from appointments.reservations import ReservedSlot


class Blocked(NamedTuple):
    """What an appointment that begins at `start` blocks."""

    start: datetime
    busy_start: datetime
    busy_end: datetime


def cut_slots(slots: Sequence[ReservedSlot]) -> list[ReservedSlot]:
    """`slots` of one visit, by start, whose ranges do not overlap for any person or resource."""
    of_people, of_resources = defaultdict(list), defaultdict(list)
    for place, slot in enumerate(slots):
        if slot.staff is not None:
            of_people[slot.staff.pk].append(place)
        for resource_id in slot.resource_ids:
            of_resources[resource_id].append(place)
    whole = [Blocked(slot.start_time, slot.busy_start, slot.busy_end) for slot in slots]
    found = list(slots)
    for places in of_people.values():
        for place, own in zip(places, cut([whole[one] for one in places]), strict=True):
            found[place] = replace(
                found[place], busy_start=own.busy_start, busy_end=own.busy_end, resource_busy={}
            )
    for resource_id, places in of_resources.items():
        for place, own in zip(places, cut([whole[one] for one in places]), strict=True):
            busy = {**found[place].resource_busy, resource_id: (own.busy_start, own.busy_end)}
            found[place] = replace(found[place], resource_busy=busy)
    return found


def cut(ranges: Sequence[Blocked]) -> list[Blocked]:
    """`ranges` of one person or resource, in order, cut where they overlap; their union stays."""
    found = []
    until = latest = datetime.min.replace(tzinfo=UTC)
    for place, one in enumerate(ranges):
        following = ranges[place + 1 :]
        earliest = min(other.busy_start for other in ranges[place:])
        latest = max(latest, one.busy_end)
        end = min(latest, following[0].start) if following else latest
        found.append(Blocked(one.start, max(until, earliest), end))
        until = end
    return found
