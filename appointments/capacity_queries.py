"""Reads what restricts a service beside the time of its staff: the seats that are booked, if it is a
class, and the resources that it requires. A service that is neither needs no query."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import (
    Count,
    F,
    QuerySet,
    Sum,
    TextField,
)
from django.db.models.functions import Cast, Coalesce

from appointments.availability import BookableStarts, BookingRules, StaffCalendar, starts_of
from appointments.availability_queries import (
    HOURS_MARGIN,
    NO_EXCLUSIONS,
    AvailabilityLoader,
    Exclusions,
    JoinedSeconds,
    Seconds,
    StaffKey,
)
from appointments.capacity import (
    ClassSession,
    ResourceStarts,
    ResourceTime,
    with_capacity,
    without_staff,
)
from appointments.models import (
    LONGEST_BUSY,
    Appointment,
    Hold,
    ResourceBooking,
)
from appointments.resource_locks import ResourceLock, read_resources
from appointments.resources.hours import closure_ranges, hours_rows
from appointments.resources.models import Resource
from kaivox.api.values import DAY_MINUTES
from kaivox.db.compiled_query import CompiledQuery
from kaivox.errors import Invalid
from services.models import Service
from staff.hours import Schedule, grid_segments, weekly_hours, working_windows
from staff.intervals import Range, merged
from staff.local_time import LocalDays

Sessions = dict[StaffKey, dict[int, ClassSession]]
# (start, blocked start, blocked end, staff id, service id) of an appointment or hold
_Row = tuple[int, int, int, StaffKey, int]


class PartyTooLarge(Invalid):
    code = "party_too_large"
    message = "No start takes so many people."


@dataclass(frozen=True, slots=True)
class Capacity:
    """`sessions` of the class by member of staff and start, and the starts of the resources; None
    where none is required. `grid` is that of a service that needs no staff."""

    service: Service
    sessions: Sessions = field(default_factory=dict)
    resources: ResourceStarts | None = None
    grid: Sequence[Range] = ()

    def starts_of(
        self, calendar: StaffCalendar, staff_id: StaffKey, rules: BookingRules, span: Range
    ) -> BookableStarts:
        """The starts within `span` at which this member of staff can be booked for the party, or, where
        the service needs none, its resources."""
        if staff_id is None:
            assert self.resources is not None  # noqa: S101 - for mypy: it requires at least one kind
            return without_staff(
                self.resources,
                rules,
                span,
                grid=self.grid,
                full=calendar.full,
                sessions=self.sessions.get(None, {}),
            )
        return with_capacity(
            starts_of(calendar, rules, span),
            calendar,
            rules,
            span,
            sessions=self.sessions.get(staff_id, {}),
            resources=self.resources,
        )

    def resources_at(
        self, start: int, staff_id: StaffKey, starts: BookableStarts
    ) -> tuple[int, ...]:
        """Ids of the resources that a booking at `start`, one of `starts`, reserves."""
        if self.resources is None:
            return ()
        return tuple(one[0] for one in self.resource_options(start, staff_id, starts))

    def resource_options(
        self, start: int, staff_id: StaffKey, starts: BookableStarts
    ) -> list[list[int]]:
        """Of each kind the ids of the resources that a booking at `start`, one of `starts`, can have, the
        best first."""
        if self.resources is None:
            return []
        if start in starts.seats:
            return [[one] for one in self.resources.of_session(self.sessions[staff_id][start])]
        return self.resources.options(start)

    def missing_kind(self) -> str | None:
        """A kind of resource of which none takes the party, or None."""
        return None if self.resources is None else self.resources.missing_kind()

    def reject_missing_kind(self, rules: BookingRules) -> None:
        """Raises PartyTooLarge."""
        if self.resources is not None:
            kind = self.resources.missing_kind()
            reject_missing_kind(self.service, rules.party_size, kind)


def reject_large_party(service: Service, party_size: int) -> None:
    """Raises PartyTooLarge where no start of the service takes so many people. A service that is no
    class takes as many as its resources do."""
    if party_size > service.capacity and (service.is_class or not service.resource_kinds):
        message = f"{service.name} takes at most {service.capacity} at one start, not {party_size}."
        raise PartyTooLarge(message, errors={"party_size": [message]})


def reject_missing_kind(service: Service, party_size: int, kind: str | None) -> None:
    """Raises PartyTooLarge where `kind` is one of which no resource is large enough."""
    if kind is not None:
        people = max(service.capacity, party_size)
        message = f"{service.name} needs a resource of the kind {kind} for {people}; there is none."
        raise PartyTooLarge(message, errors={"party_size": [message]})


def load_capacity(
    loader: AvailabilityLoader,
    service: Service,
    rules: BookingRules,
    span: Range,
    without: Exclusions = NO_EXCLUSIONS,
    *,
    moved: Collection[int] = (),
    locks: ResourceLock | None = None,
) -> Capacity:
    """The capacity for starts within `span`, with the staff of `loader`; at most four queries.

    `moved` are ids of appointments that are moved together, and do not block. `locks` reads and locks
    the resources that may be chosen, see `resource_locks`.
    """
    ignored = tuple(moved) or _one_or_none(without.appointment)
    sessions: Sessions = {}
    if service.is_class:
        sessions = _load_sessions(loader, service, rules, span, without, ignored)
    if not service.resource_kinds:
        return Capacity(service, sessions)
    found = read_resources(service) if locks is None else locks()
    booked = _load_resource_bookings(
        loader, [one.pk for one in found], rules, span, without, ignored
    )
    windows_of = _windows_beside_staff if service.needs_staff else _windows
    times = [
        ResourceTime(
            one.pk,
            one.kind,
            one.capacity,
            windows_of(one, loader, span),
            merged(closure_ranges(one.closures)),
            [row[:3] for row in booked[one.pk]],
        )
        for one in found
    ]
    closed = () if service.needs_staff else loader.closed
    starts = ResourceStarts(times, service.resource_kinds, rules, span, closed)
    grid = () if service.needs_staff else grid_segments(starts.windows(), loader.days)
    return Capacity(service, _with_resources(sessions, booked, service), starts, grid)


def _load_sessions(
    loader: AvailabilityLoader,
    service: Service,
    rules: BookingRules,
    span: Range,
    without: Exclusions,
    ignored: tuple[int, ...] | None,
) -> Sessions:
    rows = _SESSION_ROWS.rows(
        business_id=loader.business.pk,
        service_id=service.pk,
        staff_ids=tuple(loader.staff_ids) if service.needs_staff else None,
        start=_instant(span[0]),
        end=_instant(span[1]),
        now=_instant(rules.now),
        ignored=ignored,
        hold=without.hold,
    )
    sessions: Sessions = {}
    for staff_id, start_time, people, bookings in rows:
        own, start = sessions.setdefault(staff_id, {}), int(start_time.timestamp())
        known = own.get(start, ClassSession(0, 0))
        own[start] = ClassSession(known.seats_booked + people, known.bookings + bookings)
    return sessions


def _load_resource_bookings(
    loader: AvailabilityLoader,
    resource_ids: list[int],
    rules: BookingRules,
    span: Range,
    without: Exclusions,
    ignored: tuple[int, ...] | None,
) -> dict[int, list[_Row]]:
    """What blocks each resource for starts within `span`."""
    booked: dict[int, list[_Row]] = {resource_id: [] for resource_id in resource_ids}
    if not booked:
        return booked
    begin = _instant(span[0] - rules.buffer_before)
    values: dict[str, Any] = {
        "business_id": loader.business.pk,
        "start": begin,
        "at_least": begin - LONGEST_BUSY,
        "end": _instant(span[1] + rules.duration + rules.buffer_after),
    }
    rows = _RESOURCE_ROWS.rows(resource_ids=tuple(resource_ids), ignored=ignored, **values)
    for resource_id, joined in rows:
        booked[resource_id].extend(_rows_of(joined))
    held = _HOLD_ROWS.rows(now=_instant(rules.now), hold=without.hold, **values)
    for ids, *times, staff_id, service_id in held:
        start, busy_start, busy_end = (int(one.timestamp()) for one in times)
        for resource_id in booked.keys() & ids:
            booked[resource_id].append((start, busy_start, busy_end, staff_id, service_id))
    return booked


def _one_or_none(appointment: int | None) -> tuple[int, ...] | None:
    return None if appointment is None else (appointment,)


def _rows_of(joined: str) -> Iterator[_Row]:
    numbers = list(map(int, joined.split(",")))
    times = (numbers[place::5] for place in range(3))
    staff_ids = (number or None for number in numbers[3::5])
    return zip(*times, staff_ids, numbers[4::5], strict=True)


def _windows_beside_staff(
    resource: Resource, loader: AvailabilityLoader, span: Range
) -> list[Range]:
    """When the resource is open for a member of staff who works then."""
    if resource.hours:
        return _windows(resource, loader, span)
    return [(span[0], span[1] + _LONGEST_SECONDS)]  # whenever the person works


def _windows(resource: Resource, loader: AvailabilityLoader, span: Range) -> list[Range]:
    days = loader.days
    return resource_windows(resource, days, days.day_of(span[0]), days.day_of(span[1]))


def resource_windows(resource: Resource, days: LocalDays, first: date, last: date) -> list[Range]:
    """When the resource is open: without hours of its own, always. Windows that touch the days `first` to
    `last` are complete, or longer than a week: the grid counts from their start."""
    weekly = weekly_hours(hours_rows(resource.hours)) if resource.hours else _ALWAYS
    return working_windows(Schedule(weekly), days, first - HOURS_MARGIN, last + HOURS_MARGIN)


def _with_resources(
    sessions: Sessions, booked: dict[int, list[_Row]], service: Service
) -> Sessions:
    """`sessions` with the resources that their bookings have."""
    reserved: dict[tuple[StaffKey, int], set[int]] = {}
    for resource_id, rows in booked.items():
        for start, _, _, staff_id, service_id in rows:
            if service_id == service.pk:
                reserved.setdefault((staff_id, start), set()).add(resource_id)
    return {
        staff_id: {
            start: replace(session, resource_ids=frozenset(reserved.get((staff_id, start), ())))
            for start, session in own.items()
        }
        for staff_id, own in sessions.items()
    }


_ALWAYS: Final = {weekday: [(0, DAY_MINUTES)] for weekday in range(7)}
_LONGEST_SECONDS: Final = int(LONGEST_BUSY.total_seconds())


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- Queries -------------------------------------------------------------------------------------


def _session_rows(
    business_id: int,
    service_id: int,
    staff_ids: tuple[int, ...] | None,
    start: datetime,
    end: datetime,
    now: datetime,
    ignored: tuple[int, ...] | None,
    hold: int | None,
) -> QuerySet[Any]:
    """(staff id, start, people, number) of the appointments, and of the holds, of each session with
    these staff, or without any."""

    def of_staff(rows: Any) -> Any:
        return rows.without_staff() if staff_ids is None else rows.for_staff(*staff_ids)

    def by_session(rows: QuerySet[Any]) -> QuerySet[Any]:
        rows = rows.filter(service_id=service_id, start_time__gte=start, start_time__lt=end)
        grouped = rows.values("staff_id", "start_time")
        return grouped.annotate(people=Sum("party_size"), bookings=Count("pk"))

    appointments = of_staff(Appointment.objects.for_business(business_id))
    appointments = appointments.not_cancelled().filter(is_shared=True)
    holds = of_staff(Hold.objects.for_business(business_id)).live(now)
    if ignored is not None:
        appointments = appointments.exclude(pk__in=ignored)
    if hold is not None:
        holds = holds.exclude(pk=hold)
    names = ("staff_id", "start_time", "people", "bookings")
    return by_session(appointments).union(by_session(holds), all=True).values_list(*names)


def _resource_rows(
    business_id: int,
    resource_ids: tuple[int, ...],
    start: datetime,
    at_least: datetime,
    end: datetime,
    ignored: tuple[int, ...] | None,
) -> QuerySet[Any]:
    """(resource id, rows as one text) of the appointments that overlap [start, end)."""
    rows = ResourceBooking.objects.for_business(business_id).not_cancelled()
    rows = rows.filter(resource_id__in=resource_ids).overlapping(start, end, at_least=at_least)
    if ignored is not None:
        rows = rows.exclude(appointment_id__in=ignored)
    columns = [Seconds(name) for name in ("start_time", "busy_start", "busy_end")]
    # Without staff: 0, which is no id.
    ids = [Cast(one, TextField()) for one in (Coalesce(F("staff_id"), 0), F("service_id"))]
    joined = rows.values("resource_id").annotate(joined=JoinedSeconds(*columns, *ids))
    return joined.values_list("resource_id", "joined")


def _hold_rows(
    business_id: int,
    start: datetime,
    at_least: datetime,
    end: datetime,
    now: datetime,
    hold: int | None,
) -> QuerySet[Any]:
    """(resource ids, start, blocked start, blocked end, staff id, service id) of the holds that have
    resources and overlap [start, end)."""
    rows = Hold.objects.for_business(business_id).live(now).exclude(resource_ids=[])
    rows = rows.overlapping(start, end, at_least=at_least)
    if hold is not None:
        rows = rows.exclude(pk=hold)
    names = ("resource_ids", "start_time", "busy_start", "busy_end", "staff_id", "service_id")
    return rows.values_list(*names)


_SESSION_ROWS: Final = CompiledQuery(_session_rows)
_RESOURCE_ROWS: Final = CompiledQuery(_resource_rows)
_HOLD_ROWS: Final = CompiledQuery(_hold_rows)
