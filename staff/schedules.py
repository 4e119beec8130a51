"""What the API shows of members of staff beside their rows: services, weekly hours, breaks, hours of
single dates, time off.

Three compiled queries for any number of people. As prefetches they took Django longer to build and to
turn into instances than the database took to run them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final, NamedTuple

from django.db.models import DateField, F, QuerySet, SmallIntegerField, Value
from django.db.models.functions import Cast

from kaivox.businesses.models import Business
from kaivox.db.compiled_query import CompiledQuery
from staff.models import Break, DateOverride, StaffMember, TimeOff, WorkingHours


class OfferedService(NamedTuple):
    name: str
    id: int


class Window(NamedTuple):
    """A weekly window, in minutes of the local day."""

    weekday: int
    start_minute: int
    end_minute: int


class OverrideWindow(NamedTuple):
    """Hours on one date, in minutes of the local day; None on a day off."""

    date: date
    start_minute: int | None
    end_minute: int | None


class Absence(NamedTuple):
    start_time: datetime
    end_time: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ShownSchedule:
    """Active services that need staff, by name; time off and hours of single dates that were not over at the last local
    midnight."""

    services: Sequence[OfferedService]
    hours: Sequence[Window]
    breaks: Sequence[Window]
    overrides: Sequence[OverrideWindow]
    time_off: Sequence[Absence]


def load_schedules(people: Sequence[StaffMember], *, business: Business, now: datetime) -> None:
    """Sets `shown_schedule` of each of `people`, all of `business`."""
    if not people:
        return
    of: dict[str, Any] = {
        "business_id": business.pk,
        "staff_ids": tuple(person.pk for person in people),
    }
    services = _by_person(_SERVICES.rows(**of), OfferedService)
    today = now.astimezone(business.zone).date()
    hours, breaks, overrides = _windows_by_person(_WINDOWS.rows(**of, today=today))
    time_off = _by_person(_TIME_OFF.rows(**of, since=last_midnight(business, now)), Absence)
    for person in people:
        one = person.pk
        person.shown_schedule = ShownSchedule(
            sorted(services[one]), hours[one], breaks[one], overrides[one], time_off[one]
        )


def last_midnight(business: Business, now: datetime) -> datetime:
    """The start of the local day of `now`. Time off that was over then is not shown."""
    today = now.astimezone(business.zone).date()
    return datetime.combine(today, time(), business.zone).astimezone(UTC)


def _by_person(rows: list[tuple[Any, ...]], kind: Any) -> defaultdict[int, list[Any]]:
    """The first column is the id of the member of staff."""
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for staff_id, *columns in rows:
        found[staff_id].append(kind(*columns))
    return found


def _service_rows(business_id: int, staff_ids: tuple[int, ...]) -> QuerySet[Any]:
    people = StaffMember.objects.for_business(business_id).filter(pk__in=staff_ids)
    offered = people.filter(services__is_active=True, services__needs_staff=True)
    return offered.values_list("pk", "services__name", "services__pk")


_HOUR, _BREAK, _OVERRIDE = range(3)


def _windows_by_person(
    rows: list[tuple[Any, ...]],
) -> tuple[
    defaultdict[int, list[Window]],
    defaultdict[int, list[Window]],
    defaultdict[int, list[OverrideWindow]],
]:
    """Weekly hours, breaks and overrides by the id of the member of staff."""
    weekly: dict[int, defaultdict[int, list[Window]]]
    weekly = {_HOUR: defaultdict(list), _BREAK: defaultdict(list)}
    overrides: defaultdict[int, list[OverrideWindow]] = defaultdict(list)
    for kind, staff_id, weekday, day, start, end in rows:
        if kind == _OVERRIDE:
            overrides[staff_id].append(OverrideWindow(day, start, end))
        else:
            weekly[kind][staff_id].append(Window(weekday, start, end))
    return weekly[_HOUR], weekly[_BREAK], overrides


def _window_rows(business_id: int, staff_ids: tuple[int, ...], today: date) -> QuerySet[Any]:
    """(kind, staff id, weekday, date, start minute, end minute); null where the kind has no such
    column. Of overrides those from `today` on."""

    def columns(rows: Any, kind: int, weekday: Any, day: Any) -> QuerySet[Any]:
        values = (Value(kind), F("staff_id"), weekday, day, F("start_minute"), F("end_minute"))
        named = {f"column_{place}": value for place, value in enumerate(values)}
        return (
            rows.for_business(business_id)
            .for_staff(staff_ids)
            .annotate(**named)
            .values_list(*named)
        )

    no_day, no_weekday = Cast(Value(None), DateField()), Cast(Value(None), SmallIntegerField())
    coming = DateOverride.objects.filter(date__gte=today)
    return columns(WorkingHours.objects.all(), _HOUR, F("weekday"), no_day).union(
        columns(Break.objects.all(), _BREAK, F("weekday"), no_day),
        columns(coming, _OVERRIDE, no_weekday, F("date")),
        all=True,
    )


def _time_off_rows(business_id: int, staff_ids: tuple[int, ...], since: datetime) -> QuerySet[Any]:
    coming = TimeOff.objects.for_business(business_id).for_staff(staff_ids)
    coming = coming.filter(end_time__gt=since).order_by("start_time", "pk")
    return coming.values_list("staff_id", "start_time", "end_time", "reason")


_SERVICES: Final = CompiledQuery(_service_rows)
_WINDOWS: Final = CompiledQuery(_window_rows)
_TIME_OFF: Final = CompiledQuery(_time_off_rows)
