"""What can be done with people's hours and with closures. Admin, commands and imports come here.

Changes take the lock that bookings take, so that no booking slips in between. Appointments that
stand already stay as they are: see `appointments.outside_hours`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write, write_transaction
from kaivox.errors import Invalid, NotFound
from services.models import Service
from staff.clock import DAY_MINUTES
from staff.hours import override_problem, schedule_problem
from staff.models import (
    Break,
    Closure,
    ClosureKind,
    DateOverride,
    StaffMember,
    TimeOff,
    WeeklyWindow,
    WorkingHours,
)

# (weekday, start minute, end minute)
Weekly = tuple[int, int, int]


class ImpossibleHours(Invalid):
    code = "impossible_hours"
    message = "These hours cannot be."


@contextmanager
def schedule_change(*, business_id: int, staff_id: int) -> Iterator[StaffMember]:
    """Changes of one person's services, hours, breaks, overrides and time off go inside: nobody
    books them meanwhile, and what would be impossible as a whole is undone.

    Raises NotFound, ImpossibleHours.
    """
    with write_transaction():
        # Locks the member of staff: bookings wait until the new hours stand.
        rows = StaffMember.objects.for_business(business_id).filter(pk=staff_id).locked()
        person = rows.first()
        if person is None:
            raise NotFound
        yield person
        _refuse_impossible(person)
        person.save(update_fields=["updated_at"])


def set_weekly_hours(
    *, staff: StaffMember, hours: Iterable[Weekly], breaks: Iterable[Weekly] = ()
) -> None:
    """Replaces a person's weekly hours and breaks. Raises ImpossibleHours."""
    with schedule_change(business_id=staff.business_id, staff_id=staff.pk):
        _replace_weekly(WorkingHours, staff, hours)
        _replace_weekly(Break, staff, breaks)


def set_hours_on(*, staff: StaffMember, day: date, windows: Iterable[tuple[int, int]]) -> None:
    """Other hours on one date, in minutes; none: a day off. Raises ImpossibleHours."""
    with schedule_change(business_id=staff.business_id, staff_id=staff.pk):
        DateOverride.objects.filter(staff=staff, date=day).delete()
        DateOverride.objects.bulk_create(
            DateOverride(
                business_id=staff.business_id,
                staff=staff,
                date=day,
                start_minute=start,
                end_minute=end,
            )
            for start, end in _windows_or_day_off(windows)
        )


def add_time_off(
    *, staff: StaffMember, start: datetime, end: datetime, reason: str = ""
) -> TimeOff:
    """Time in which a person cannot be booked. Raises ImpossibleHours where it ends before it
    starts."""
    if end <= start:
        raise ImpossibleHours(errors={"end_time": ["Time off ends after it starts."]})
    with schedule_change(business_id=staff.business_id, staff_id=staff.pk) as person:
        return TimeOff.objects.create(
            business_id=person.business_id,
            staff=person,
            start_time=start,
            end_time=end,
            reason=reason,
        )


def offer_services(*, staff: StaffMember, services: Iterable[Service]) -> None:
    """Replaces the services that a person performs."""
    with schedule_change(business_id=staff.business_id, staff_id=staff.pk):
        staff.services.set(services)


@contextmanager
def closure_change(*, business_id: int) -> Iterator[None]:
    """Changes of a business's closures go inside: nobody is booked meanwhile."""
    with write_transaction():
        # Locks all staff, by id: bookings wait until the closure stands.
        people = StaffMember.objects.for_business(business_id).order_by("pk").locked()
        list(people.values_list("pk", flat=True))
        yield


def close_business(
    *,
    business: Business,
    first_date: date,
    last_date: date,
    reason: str,
    kind: str = ClosureKind.HOLIDAY,
    from_minute: int = 0,
    until_minute: int = DAY_MINUTES,
) -> Closure:
    """Closes the business, see `Closure`. Raises ImpossibleHours where it ends before it starts."""
    if (last_date, until_minute) <= (first_date, from_minute):
        raise ImpossibleHours(errors={"last_date": ["A closure ends after it starts."]})
    with closure_change(business_id=business.pk):
        return Closure.objects.create(
            business=business,
            kind=kind,
            first_date=first_date,
            last_date=last_date,
            from_minute=from_minute,
            until_minute=until_minute,
            reason=reason,
        )


@atomic_write
def remove_closure(*, business: Business, closure_id: int) -> None:
    """Opens again. Raises NotFound."""
    removed, _ = Closure.objects.for_business(business).filter(pk=closure_id).delete()
    if not removed:
        raise NotFound


def _replace_weekly(model: type[WeeklyWindow], staff: StaffMember, rows: Iterable[Weekly]) -> None:
    model.objects.filter(staff=staff).delete()
    model.objects.bulk_create(
        model(
            business_id=staff.business_id,
            staff=staff,
            weekday=weekday,
            start_minute=start,
            end_minute=end,
        )
        for weekday, start, end in rows
    )


def _windows_or_day_off(
    windows: Iterable[tuple[int, int]],
) -> list[tuple[int, int] | tuple[None, None]]:
    return [*windows] or [(None, None)]


def _refuse_impossible(person: StaffMember) -> None:
    columns = ("weekday", "start_minute", "end_minute")
    problem = schedule_problem(
        person.working_hours.values_list(*columns), person.breaks.values_list(*columns)
    ) or override_problem(person.date_overrides.values_list("date", "start_minute", "end_minute"))
    if problem:
        raise ImpossibleHours(problem)
