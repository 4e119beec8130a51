"""Reads what restricts a service beside the time of its staff: the seats that are booked, if it is a
class, and the resources that it requires. A service that is neither needs no query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
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
from django.db.models.functions import Cast

from appointments.availability import BookableStarts, BookingRules, StaffCalendar, starts_of
from appointments.availability_queries import (
    HOURS_MARGIN,
    NO_EXCLUSIONS,
    AvailabilityLoader,
    Exclusions,
    JoinedSeconds,
    Seconds,
)
from appointments.capacity import ClassSession, ResourceStarts, ResourceTime, with_capacity
from appointments.models import LONGEST_BUSY, Appointment, Hold, ResourceBooking
from appointments.resource_locks import ResourceLock, read_resources
from appointments.resources.hours import closure_ranges, hours_rows
from appointments.resources.models import Resource
from kaivox.db.compiled_query import CompiledQuery
from kaivox.errors import Invalid
from services.models import Service
from staff.hours import Schedule, weekly_hours, working_windows
from staff.intervals import Range, merged

Sessions = dict[int, dict[int, ClassSession]]
# (start, blocked start, blocked end, staff id, service id) of an appointment or hold
_Row = tuple[int, int, int, int, int]


class PartyTooLarge(Invalid):
    code = "party_too_large"
    message = "No start takes so many people."


@dataclass(frozen=True, slots=True)
class Capacity:
    """`sessions` of the class by member of staff and start, and the starts of the resources; None
    where none is required."""

    service: Service
    sessions: Sessions = field(default_factory=dict)
    resources: ResourceStarts | None = None

    def starts_of(
        self, calendar: StaffCalendar, staff_id: int, rules: BookingRules, span: Range
    ) -> BookableStarts:
        """The starts within `span` at which this member of staff can be booked for the party."""
        return with_capacity(
            starts_of(calendar, rules, span),
            calendar,
            rules,
            span,
            sessions=self.sessions.get(staff_id, {}),
            resources=self.resources,
        )

    def resources_at(self, start: int, staff_id: int, starts: BookableStarts) -> tuple[int, ...]:
        """Ids of the resources that a booking at `start`, one of `starts`, reserves."""
        if self.resources is None:
            return ()
        if start in starts.seats:
            return tuple(self.resources.of_session(self.sessions[staff_id][start]))
        return self.resources.choose(start)

    def missing_kind(self) -> str | None:
        """A kind of resource of which none takes the party, or None."""
        return None if self.resources is None else self.resources.missing_kind()

    def reject_missing_kind(self, rules: BookingRules) -> None:
        """Raises PartyTooLarge."""
        reject_missing_kind(self.service, rules.party_size, self.missing_kind())


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
    times = [_time(one, booked[one.pk], loader, span) for one in found]
    starts = ResourceStarts(times, service.resource_kinds, rules, span)
    return Capacity(service, _with_resources(sessions, booked, service), starts)


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
        staff_ids=tuple(loader.staff_ids),
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
    return zip(*(numbers[place::5] for place in range(5)), strict=True)


def _time(
    resource: Resource, booked: Iterable[_Row], loader: AvailabilityLoader, span: Range
) -> ResourceTime:
    # Without hours of its own it is open whenever its staff works.
    windows = [(span[0], span[1] + _LONGEST_SECONDS)]
    if resource.hours:
        schedule = Schedule(weekly_hours(hours_rows(resource.hours)))
        first, last = _days(loader, span)
        windows = working_windows(schedule, loader.days, first - HOURS_MARGIN, last + HOURS_MARGIN)
    return ResourceTime(
        resource.pk,
        resource.kind,
        resource.capacity,
        windows,
        merged(closure_ranges(resource.closures)),
        [row[:3] for row in booked],
    )


def _days(loader: AvailabilityLoader, span: Range) -> tuple[date, date]:
    return loader.days.day_of(span[0]), loader.days.day_of(span[1])


def _with_resources(
    sessions: Sessions, booked: dict[int, list[_Row]], service: Service
) -> Sessions:
    """`sessions` with the resources that their bookings have."""
    reserved: dict[tuple[int, int], set[int]] = {}
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


_LONGEST_SECONDS: Final = int(LONGEST_BUSY.total_seconds())


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# --- Queries -------------------------------------------------------------------------------------


def _session_rows(
    business_id: int,
    service_id: int,
    staff_ids: tuple[int, ...],
    start: datetime,
    end: datetime,
    now: datetime,
    ignored: tuple[int, ...] | None,
    hold: int | None,
) -> QuerySet[Any]:
    """(staff id, start, people, number) of the appointments, and of the holds, of each session."""

    def by_session(rows: QuerySet[Any]) -> QuerySet[Any]:
        rows = rows.filter(service_id=service_id, start_time__gte=start, start_time__lt=end)
        grouped = rows.values("staff_id", "start_time")
        return grouped.annotate(people=Sum("party_size"), bookings=Count("pk"))

    appointments = Appointment.objects.for_business(business_id).for_staff(*staff_ids)
    appointments = appointments.not_cancelled().filter(is_shared=True)
    holds = Hold.objects.for_business(business_id).for_staff(*staff_ids).live(now)
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
    ids = [Cast(F(name), TextField()) for name in ("staff_id", "service_id")]
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
