"""`find_times`: a few free times, spread over what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from appointments.capacity_queries import PartyTooLarge, reject_large_party, reject_missing_kind
from appointments.slots import Slot, SlotFilter, find_slots
from kaivox.agents.arguments import Argument, Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.dates import PARTS_OF_DAY, Days, part_of_day
from kaivox.agents.results import ToolResult
from kaivox.agents.speech import MOST_CHOICES, say, say_choices, spoken, spoken_day, spoken_time
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.lookup import (
    find_clock,
    find_days,
    find_party_size,
    find_service,
    find_staff,
    party_too_large,
)
from services.models import Service
from staff.models import StaffMember

MOST_TIMES: Final = 5
# "Next" looks this far; where all of it is taken, the first free time after it is named.
_SOON: Final = timedelta(days=6)
_LONGEST_RANGE: Final = timedelta(days=30)


def find_times(context: ToolContext, arguments: Arguments) -> ToolResult:
    """At most five free times of a service. Raises ToolError."""
    service = find_service(context, arguments)
    staff = find_staff(context, arguments, service)
    days, clock = find_days(context, arguments), find_clock(context, arguments)
    part, people = part_asked_for(arguments), find_party_size(arguments) or 1
    last = min(days.last, days.first + _LONGEST_RANGE)
    if days.soonest:
        last = max(last, days.first + _SOON)
    try:
        reject_large_party(service, people)
        offer = find_slots(
            business=context.business,
            service=service,
            staff=staff,
            first=days.first,
            last=last,
            zone=context.zone,
            now=context.now,
            only=SlotFilter(party_size=people),
        )
        reject_missing_kind(service, people, offer.missing_kind)
    except PartyTooLarge as error:
        raise party_too_large(context, service, people) from error
    # Where that part of the day is full the others are offered.
    slots = _in_part(context, offer.slots, part) or offer.slots
    data = {"service": {"id": service.pk, "name": service.name}, "timezone": context.zone.key}
    if not slots:
        return _nothing(context, service, days, offer.next_available, data)
    if clock is not None:
        return _around(context, slots, days, clock, data)
    chosen = spread(context, slots, MOST_TIMES)
    return ToolResult(
        offer_times(context, chosen), data={**data, "times": show_times(context, chosen)}
    )


def spread(context: ToolContext, slots: Sequence[Slot], most: int) -> list[Slot]:
    """The first of `slots`, and others on different days and parts of the day; in order."""
    groups: dict[Any, list[Slot]] = {}
    for slot in slots:
        local = datetime.fromtimestamp(slot.start, context.zone)
        groups.setdefault((local.date(), _part_of(local.time())), []).append(slot)
    chosen = [group[0] for group in list(groups.values())[:most]]
    # Then more of the same parts, far from what is chosen.
    for group in groups.values():
        for slot in (group[len(group) // 2], group[-1]):
            if len(chosen) < most and slot not in chosen:
                chosen.append(slot)
    return sorted(chosen, key=lambda slot: slot.start)


def nearest(slots: Iterable[Slot], start: datetime, most: int = MOST_CHOICES) -> list[Slot]:
    """The `most` slots closest to `start`; in order."""
    wanted = start.timestamp()
    closest = sorted(slots, key=lambda slot: (abs(slot.start - wanted), slot.start))[:most]
    return sorted(closest, key=lambda slot: slot.start)


def alternatives(
    context: ToolContext,
    service: Service,
    staff: StaffMember | None,
    start: datetime,
    party_size: int,
) -> list[Slot]:
    """Up to three free times for a party close to one that cannot be booked; that day, else the week
    after."""
    day = max(start.astimezone(context.zone).date(), context.today)
    found: Slot | None = None
    for last in (day, day + _SOON):
        offer = find_slots(
            business=context.business,
            service=service,
            staff=staff,
            first=day,
            last=last,
            zone=context.zone,
            now=context.now,
            only=SlotFilter(party_size=party_size),
        )
        if offer.slots:
            return nearest(offer.slots, start)
        found = offer.next_available
    return [found] if found else []


def offer_times(context: ToolContext, slots: Sequence[Slot]) -> str:
    """A sentence that offers at most three of `slots`."""
    few = spread(context, slots, MOST_CHOICES)
    starts = [_start(slot) for slot in few]
    days = {start.astimezone(context.zone).date() for start in starts}
    if len(days) == 1:
        day = spoken_day(context, next(iter(days)))
        clocks = [spoken_time(context, start) for start in starts]
        return say_choices(context.language, "times_on_day", clocks, day=day)
    return say_choices(context.language, "times", [spoken(context, start) for start in starts])


def say_alternatives(context: ToolContext, key: str, slots: Sequence[Slot], start: datetime) -> str:
    """A sentence that offers `slots` instead of `start`; on the same day by their clocks alone."""
    local = start.astimezone(context.zone)
    starts = [_start(slot) for slot in slots]
    same_day = all(one.astimezone(context.zone).date() == local.date() for one in starts)
    say_one = spoken_time if same_day else spoken
    choices = [say_one(context, one) for one in starts]
    return say_choices(context.language, key, choices, time=spoken(context, start))


def show_times(context: ToolContext, slots: Sequence[Slot]) -> list[dict[str, Any]]:
    """Slots as data: local and UTC."""
    return [
        {
            "start": _start(slot).astimezone(context.zone).isoformat(),
            "start_utc": utc(_start(slot)),
            "spoken": spoken(context, _start(slot)),
            "staff": [{"id": one.pk, "name": one.name} for one in slot.staff[:MOST_TIMES]],
        }
        for slot in slots
    ]


def utc(instant: datetime) -> str:
    """`2026-12-01T10:00:00Z`"""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _around(
    context: ToolContext, slots: Sequence[Slot], days: Days, clock: time, data: dict[str, Any]
) -> ToolResult:
    """The times closest to `clock`; on each day of a range the closest one."""
    by_day: dict[date, list[Slot]] = {}
    for slot in slots:
        by_day.setdefault(_start(slot).astimezone(context.zone).date(), []).append(slot)
    best: list[Slot] = []
    for day, found in by_day.items():
        wanted = datetime.combine(day, clock, context.zone)
        best += nearest(found, wanted, MOST_CHOICES if len(by_day) == 1 else 1)
    exact = [slot for slot in best if _start(slot).astimezone(context.zone).time() == clock]
    chosen = (exact or best)[:MOST_TIMES]
    data = {**data, "times": show_times(context, chosen)}
    if exact and len(exact) == 1:
        sentence = say(context.language, "exact_time", time=spoken(context, _start(exact[0])))
    elif exact or days.first != days.last or days.soonest:
        sentence = offer_times(context, chosen)
    else:
        wanted = datetime.combine(days.first, clock, context.zone)
        sentence = say_alternatives(context, "nearest_times", chosen[:MOST_CHOICES], wanted)
    return ToolResult(sentence, data=data)


def _nothing(
    context: ToolContext,
    service: Service,
    days: Days,
    following: Slot | None,
    data: dict[str, Any],
) -> ToolResult:
    if following is None:
        sentence = say(context.language, "no_times", service=service.name)
        return ToolResult(sentence, data={**data, "times": []})
    time = spoken(context, _start(following))
    day = spoken_day(context, days.first)
    key = "times" if days.soonest or days.first != days.last else "no_times_then_next"
    sentence = say_choices(context.language, key, [time], day=day, time=time)
    return ToolResult(
        sentence, data={**data, "times": [], "next_available": show_times(context, [following])[0]}
    )


def part_asked_for(arguments: Arguments) -> str | None:
    """The part of the day that `part_of_day`, or `day`, names; None: any. Raises ToolError."""
    wanted = arguments.text("part_of_day")
    if not wanted:
        return part_of_day(arguments.text("day"))
    part = part_of_day(wanted)
    if part is None and wanted.casefold() not in ("any", "anytime", "all day"):
        raise arguments.unclear("part_of_day")
    return part


def _in_part(context: ToolContext, slots: Sequence[Slot], part: str | None) -> Sequence[Slot]:
    if part is None:
        return slots
    begin, end = PARTS_OF_DAY[part]
    return [
        slot
        for slot in slots
        if begin <= datetime.fromtimestamp(slot.start, context.zone).time() < end
    ]


def _part_of(clock: time) -> str:
    return next(part for part, (begin, _) in reversed(list(PARTS_OF_DAY.items())) if clock >= begin)


def _start(slot: Slot) -> datetime:
    return datetime.fromtimestamp(slot.start, UTC)


FIND_TIMES: Final = Tool(
    name="find_times",
    title="Find free times",
    description="Free times of a service. Offer at most three; book only these.",
    arguments=[
        Argument("service", "Id or name", required=True),
        Argument("day", "ISO date, 'next Tuesday', 'next week'; default: soonest"),
        Argument("until", "Last day"),
        Argument("time", "Preferred, like 15:30"),
        Argument("part_of_day", choices=tuple(PARTS_OF_DAY)),
        Argument("staff", "Id or name; default: anyone"),
        Argument("party_size", "People; default 1", kind="integer"),
    ],
    output={"times": {"type": "array"}, "next_available": {"type": "object"}},
    scopes=["slots:read"],
    read_only=True,
    run=find_times,
)
