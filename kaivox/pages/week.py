"""A week at a glance: of one member of staff on a grid of hours, of a business as a table.

Everything in the business's local time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from appointments.availability import Agenda, Reason
from appointments.models import Appointment
from appointments.outside_hours import outside_hours
from appointments.roster import Roster
from kaivox.businesses.models import Business
from staff.models import StaffMember, TimeOff
from staff.ranges import Range

DAY_MINUTES: Final = 24 * 60
MOST_STAFF: Final = 60

_IN_WORDS: Final[dict[Reason | None, str]] = {
    Reason.CLOSED: "outside working hours",
    Reason.HOLIDAY: "while the business is closed",
    Reason.TIME_OFF: "in time off",
}


@dataclass(frozen=True)
class Block:
    """Something in one day, in minutes after local midnight: `kind` is open, closed, away or booked."""

    kind: str
    start: int
    end: int
    title: str = ""
    appointment: Appointment | None = None
    # Why it could not be booked today, where that is so.
    outside: str = ""

    @property
    def minutes(self) -> int:
        return self.end - self.start

    @property
    def clock(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}"


@dataclass
class Cell:
    """One person's day."""

    day: date
    open: list[Block] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    staff: StaffMember
    cells: list[Cell]


@dataclass(frozen=True)
class Week:
    days: list[date]
    rows: list[Row]
    # The hours that the grid shows.
    first_hour: int
    last_hour: int


def week_of(business: Business, staff: Sequence[StaffMember], monday: date) -> Week:
    """The week from `monday` on: hours, closures, time off and appointments that stand."""
    days = [monday + timedelta(days=at) for at in range(7)]
    agendas, away = _agendas(business, staff, days[0], days[-1])
    start, end = _bounds(business, days[0], days[-1])
    appointments = _appointments(business, staff, start, end)
    outside = outside_hours(business, now=start, look_ahead=end - start)
    rows = []
    for person in staff:
        agenda = agendas[person.pk]
        cells = [Cell(day) for day in days]
        for cell in cells:
            cell.open = _clip("open", agenda.windows, cell.day, business)
            cell.blocks = _clip("closed", agenda.closed, cell.day, business, "Closed")
            for reason, span in away.get(person.pk, ()):
                cell.blocks += _clip("away", [span], cell.day, business, reason or "Time off")
        for appointment in appointments.get(person.pk, ()):
            _place(appointment, cells, business, _IN_WORDS.get(outside.get(appointment.pk)))
        for cell in cells:
            cell.blocks.sort(key=lambda block: (block.start, block.end))
        rows.append(Row(person, cells))
    return Week(days, rows, *_hours_shown(rows))


def _agendas(
    business: Business, staff: Sequence[StaffMember], first: date, last: date
) -> tuple[dict[int, Agenda], dict[int, list[tuple[str, Range]]]]:
    agendas = Roster(business, [person.pk for person in staff], first, last).hours(first, last)
    away: dict[int, list[tuple[str, Range]]] = {}
    start, end = _bounds(business, first, last)
    rows = TimeOff.objects.for_business(business).overlapping(start, end)
    for row in rows.of_staff([person.pk for person in staff]):
        span = (int(row.start_time.timestamp()), int(row.end_time.timestamp()))
        away.setdefault(row.staff_id, []).append((row.reason, span))
    return agendas, away


def _appointments(
    business: Business, staff: Sequence[StaffMember], start: datetime, end: datetime
) -> dict[int, list[Appointment]]:
    rows = Appointment.objects.for_business(business).standing().starting(start, end)
    found: dict[int, list[Appointment]] = {}
    for row in rows.of_staff(*(person.pk for person in staff)).with_names().order_by("start_time"):
        found.setdefault(row.staff_id, []).append(row)
    return found


def _place(
    appointment: Appointment, cells: list[Cell], business: Business, outside: str | None
) -> None:
    local = appointment.start_time.astimezone(business.zone)
    cell = next((cell for cell in cells if cell.day == local.date()), None)
    if cell is not None:
        start = local.hour * 60 + local.minute
        end = min(DAY_MINUTES, start + appointment.duration_minutes)
        title = f"{appointment.customer.name}, {appointment.service.name}"
        cell.blocks.append(Block("booked", start, end, title, appointment, outside or ""))


def _clip(
    kind: str, spans: Iterable[Range], day: date, business: Business, title: str = ""
) -> list[Block]:
    """What of `spans` (Unix seconds) falls on `day`, in minutes of that local day."""
    start, end = (int(moment.timestamp()) for moment in _bounds(business, day, day))
    found = []
    for begins, ends in spans:
        if begins < end and start < ends:
            first = 0 if begins <= start else _minute(begins, business)
            last = DAY_MINUTES if ends >= end else _minute(ends, business)
            found.append(Block(kind, first, last, title))
    return found


def _minute(instant: int, business: Business) -> int:
    local = datetime.fromtimestamp(instant, UTC).astimezone(business.zone)
    return local.hour * 60 + local.minute


def _bounds(business: Business, first: date, last: date) -> tuple[datetime, datetime]:
    start = datetime(first.year, first.month, first.day, tzinfo=business.zone)
    after = last + timedelta(days=1)
    return start, datetime(after.year, after.month, after.day, tzinfo=business.zone)


def _hours_shown(rows: Iterable[Row]) -> tuple[int, int]:
    """Working hours and appointments, whole hours; 8 to 18 where there is nothing."""
    seen = [
        block
        for row in rows
        for cell in row.cells
        for block in [*cell.open, *(block for block in cell.blocks if block.kind == "booked")]
    ]
    if not seen:
        return 8, 18
    return min(b.start for b in seen) // 60, -(-max(b.end for b in seen) // 60)
