"""Data of the admin's calendar: hours, closures, time off and appointments of people in a week.

All times are local times of the business. On days on which the clocks change, a block begins at the time
that they show at its beginning, and ends at the latest that they show in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from django.db.models import Q

from appointments.availability import StaffCalendar, UnavailabilityReason
from appointments.availability_queries import AvailabilityLoader, StaffKey
from appointments.hours_without_staff import hours_without_staff
from appointments.models import Appointment
from appointments.outside_hours import outside_hours
from appointments.slots import key_of
from kaivox.businesses.models import Business
from services.models import Service
from staff.intervals import Range
from staff.local_time import LocalDays, change_between
from staff.models import CalendarBusyTime, StaffMember, TimeOff

DAY_MINUTES: Final = 24 * 60
MAX_STAFF: Final = 60
# Free time is offered in parts of an hour; a part is at least so long.
MIN_FREE_MINUTES: Final = 30
_USUAL_DAY: Final = 8 * 60, 18 * 60

_IN_WORDS: Final[dict[UnavailabilityReason | None, str]] = {
    UnavailabilityReason.CLOSED: "outside working hours",
    UnavailabilityReason.HOLIDAY: "while the business is closed",
    UnavailabilityReason.TIME_OFF: "in time off",
}


@dataclass(frozen=True)
class Block:
    """A time span in one day, in minutes after local midnight. `kind`: open, closed, away, booked or
    free."""

    kind: str
    start: int
    end: int
    title: str = ""
    appointment: Appointment | None = None
    # Why the appointment could no longer be booked at this time; empty if it could.
    outside: str = ""

    @property
    def minutes(self) -> int:
        return self.end - self.start

    @property
    def clock(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}"


@dataclass
class Cell:
    """One person's day, or that of the appointments without staff."""

    day: date
    open: list[Block] = field(default_factory=list)
    # Appointments without staff are at the same time, each with its own resources.
    shares_time: bool = False
    blocks: list[Block] = field(default_factory=list)
    # The hour that the clocks skip on this day, if any: nothing can be booked in it.
    skipped: Block | None = None


@dataclass(frozen=True)
class WeekRow:
    """A person's week; without `staff` that of the appointments without any."""

    staff: StaffMember | None
    cells: list[Cell]


@dataclass(frozen=True)
class Week:
    days: list[date]
    rows: list[WeekRow]
    # The hours shown in the grid.
    first_hour: int
    last_hour: int


def week_of(
    business: Business, staff: Sequence[StaffMember], monday: date, *, with_alone: bool = False
) -> Week:
    """The week from `monday` on: working hours, closures, time off, appointments not cancelled. With
    `with_alone` there is a row of appointments without staff, where a service needs none."""
    days = [monday + timedelta(days=at) for at in range(7)]
    calendars, away = _staff_calendars(business, staff, days[0], days[-1])
    start, end = _bounds(business, days[0], days[-1])
    local_days = [_LocalDay.of(LocalDays(business.zone), day) for day in days]
    people: list[StaffMember | None] = list(staff)
    services = Service.objects.for_business(business).filter(needs_staff=False)
    if with_alone and services:
        people.append(None)
        booked_alone = [service for service in services if service.is_active]
        windows = hours_without_staff(business, booked_alone, days[0], days[-1])
        calendars[None].windows = windows
    appointments = _appointments(business, people, start, end)
    outside = outside_hours(business, now=start, look_ahead=end - start)
    rows = []
    for person in people:
        key = key_of(person)
        staff_calendar = calendars[key]
        cells = [Cell(day, shares_time=person is None) for day in days]
        for cell, day in zip(cells, local_days, strict=True):
            cell.skipped = day.skipped
            cell.open = _clip("open", staff_calendar.windows, day)
            cell.blocks = _clip("closed", staff_calendar.closed, day, "Closed")
            for reason, span in away.get(key, ()):
                cell.blocks += _clip("away", [span], day, reason or "Time off")
            cell.blocks += [
                _booked(row, day, _IN_WORDS.get(outside.get(row.pk)))
                for row in appointments.get(key, ())
                if day.start <= row.start_time.timestamp() < day.end
            ]
        for cell in cells:
            cell.blocks.sort(key=lambda block: (block.start, block.end))
        rows.append(WeekRow(person, cells))
    return Week(days, rows, *_hours_shown(rows))


def free_parts(cell: Cell, now: datetime) -> list[Block]:
    """The open time of `cell` after `now` (local) without its blocks, in parts that end at full hours. Where
    appointments share their time, they leave it free: whether another fits shows when it is booked."""
    if cell.day < now.date():
        return []
    since = now.hour * 60 + now.minute if cell.day == now.date() else 0
    blocked = [one for one in cell.blocks if not (cell.shares_time and one.kind == "booked")]
    if cell.skipped:
        blocked = sorted([*blocked, cell.skipped], key=lambda block: block.start)
    parts: list[Block] = []
    for window in cell.open:
        start = max(window.start, since)
        for block in blocked:
            if block.start < window.end and start < block.end:
                parts += _hours_of(start, block.start)
                start = block.end
        parts += _hours_of(start, window.end)
    return parts


def _hours_of(start: int, end: int) -> Iterator[Block]:
    while start < end:
        stop = min(end, (start // 60 + 1) * 60)
        if stop - start >= MIN_FREE_MINUTES:
            yield Block("free", start, stop)
        start = stop


def _staff_calendars(
    business: Business, staff: Sequence[StaffMember], first: date, last: date
) -> tuple[dict[StaffKey, StaffCalendar], dict[StaffKey, list[tuple[str, Range]]]]:
    keys = [*(person.pk for person in staff), None]
    calendars = AvailabilityLoader(business, keys, first, last).hours(first, last)
    away: dict[StaffKey, list[tuple[str, Range]]] = {}
    start, end = _bounds(business, first, last)
    rows = TimeOff.objects.for_business(business).overlapping(start, end)
    for row in rows.for_staff([person.pk for person in staff]):
        span = (int(row.start_time.timestamp()), int(row.end_time.timestamp()))
        away.setdefault(row.staff_id, []).append((row.reason, span))
    elsewhere = CalendarBusyTime.objects.for_business(business).overlapping(start, end)
    elsewhere = elsewhere.for_staff([person.pk for person in staff]).select_related("calendar")
    for busy in elsewhere.defer("calendar__ics_url"):
        span = (int(busy.start_time.timestamp()), int(busy.end_time.timestamp()))
        away.setdefault(busy.staff_id, []).append((busy.calendar.name or "Other calendar", span))
    return calendars, away


def _appointments(
    business: Business, people: Sequence[StaffMember | None], start: datetime, end: datetime
) -> dict[StaffKey, list[Appointment]]:
    rows = Appointment.objects.for_business(business).not_cancelled().starting_between(start, end)
    wanted = Q(staff__in=[person for person in people if person])
    if None in people:
        wanted |= Q(staff=None)
    found: dict[StaffKey, list[Appointment]] = {}
    for row in rows.filter(wanted).with_related().order_by("start_time"):
        found.setdefault(row.staff_id, []).append(row)
    return found


@dataclass(frozen=True)
class _LocalDay:
    """A day of a zone, in Unix seconds; `change` is the instant in it at which the clocks change."""

    zone: ZoneInfo
    start: int
    end: int
    change: int | None

    @classmethod
    def of(cls, days: LocalDays, day: date) -> Self:
        [(_, start, has_24_hours)] = days.row(day, day)
        end = days.midnight(day + timedelta(days=1))
        change = None if has_24_hours else change_between(days.zone, start - 1, end)
        return cls(days.zone, start, end, change)

    def minute(self, instant: int) -> int:
        local = datetime.fromtimestamp(instant, self.zone)
        return local.hour * 60 + local.minute

    def span(self, begins: int, ends: int) -> tuple[int, int]:
        """The minute that clocks show at `begins`, and the end of the latest one before `ends`."""
        if ends >= self.end:
            return self.minute(begins), DAY_MINUTES
        last = self.minute(ends - 1) + 1
        if self.change is not None and begins < self.change < ends:
            last = max(last, self.minute(self.change - 1) + 1)
        return self.minute(begins), last

    @property
    def skipped(self) -> Block | None:
        if self.change is None or self.end - self.start > DAY_MINUTES * 60:
            return None
        first = 0 if self.change == self.start else self.minute(self.change - 1) + 1
        return Block("skipped", first, self.minute(self.change))


def _booked(appointment: Appointment, day: _LocalDay, outside: str | None) -> Block:
    begins = int(appointment.start_time.timestamp())
    start, end = day.span(begins, begins + appointment.duration_minutes * 60)
    title = f"{appointment.customer.name}, {appointment.service.name}"
    return Block("booked", start, end, title, appointment, outside or "")


def _clip(kind: str, spans: Iterable[Range], day: _LocalDay, title: str = "") -> list[Block]:
    """The parts of `spans` (Unix seconds) on `day`, in minutes of that local day."""
    found = []
    for begins, ends in spans:
        if begins < day.end and day.start < ends:
            first, last = day.span(max(begins, day.start), ends)
            found.append(Block(kind, 0 if begins <= day.start else first, last, title))
    return found


def _bounds(business: Business, first: date, last: date) -> tuple[datetime, datetime]:
    start = datetime(first.year, first.month, first.day, tzinfo=business.zone)
    after = last + timedelta(days=1)
    return start, datetime(after.year, after.month, after.day, tzinfo=business.zone)


def _hours_shown(rows: Iterable[WeekRow]) -> tuple[int, int]:
    """First and last hour that contain working hours or appointments; 8 to 18 without any, and for
    resources that are open all day."""
    spans = [
        _USUAL_DAY
        if cell.shares_time and block.minutes == DAY_MINUTES
        else (block.start, block.end)
        for row in rows
        for cell in row.cells
        for block in [*cell.open, *(block for block in cell.blocks if block.kind == "booked")]
    ]
    first, last = zip(*(spans or [_USUAL_DAY]), strict=True)
    return min(first) // 60, -(-max(last) // 60)
