"""State changes of members of staff, their hours and closures, used by the API and the admin.

They acquire the lock that bookings acquire, so that no booking is based on hours that are changing.
Existing appointments stay as they are: see `appointments.outside_hours`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final

from django.utils import timezone

from kaivox.api.values import DAY_MINUTES
from kaivox.businesses.denormalized_names import touch_dependents
from kaivox.businesses.models import Business
from kaivox.businesses.row_rules import check_row
from kaivox.db.transactions import advisory_lock, write_transaction
from kaivox.errors import NotFound, PreconditionFailed
from services.models import Service
from staff.models import (
    Break,
    Closure,
    ClosureKind,
    StaffMember,
    TimeOff,
    WorkingHours,
)
from staff.schedule_rows import (
    TIME_OFF_ENDS_AFTER_START,
    WEEKLY_COLUMNS,
    ImpossibleHours,
    reject_impossible,
    replace_weekly,
    set_schedule,
)
from staff.schedules import load_schedules
from staff.serializers import ClosureSerializer, StaffSerializer
from webhooks.operations import record_event

COLUMNS: Final = ("name", "specialty", "email", "is_active")


def create_staff(*, business: Business, values: Mapping[str, Any], now: datetime) -> StaffMember:
    """Creates a member of staff from `values`, those of `update_staff`, and records `staff.updated`.

    Raises Invalid, ImpossibleHours.
    """
    with write_transaction():
        person = StaffMember(business=business)
        _assign(person, values)
        check_row(person)
        person.save(force_insert=True)
        with schedule_change(
            business_id=business.pk, staff_id=person.pk, is_changed=True, now=now
        ) as created:
            set_schedule(created, values, now)
    return created


def update_staff(
    *,
    business: Business,
    staff_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    expected: datetime | None = None,
) -> StaffMember:
    """Applies `changes` and records `staff.updated` where any of them differs from what is stored.

    They are columns of COLUMNS; `services`, which replaces the active services that the person
    offers; `working_hours`, rows of Weekly, which replaces the weekly hours and breaks;
    `date_overrides`, rows of Override, which replaces hours of single dates from today on; `time_off`,
    rows of Absence, which replaces time off that was not over at the last local midnight.

    Raises NotFound, PreconditionFailed, Invalid, ImpossibleHours.
    """
    with schedule_change(
        business_id=business.pk, staff_id=staff_id, expected=expected, now=now
    ) as person:
        changed = _assign(person, changes)
        if changed:
            check_row(person)
            person.save()
        set_schedule(person, changes, now)
    return person


@contextmanager
def schedule_change(
    *,
    business_id: int,
    staff_id: int,
    is_changed: bool = False,
    expected: datetime | None = None,
    now: datetime | None = None,
) -> Iterator[StaffMember]:
    """A context for changes of one person: columns, services, hours, breaks, overrides, time off.

    Bookings of the person wait until it ends. Changes that contradict each other are rolled back.
    Records `staff.updated` where anything differs at the end, or the caller has changed columns
    before (`is_changed`). Raises NotFound, PreconditionFailed, ImpossibleHours.
    """
    with write_transaction():
        # Locks the member of staff: bookings wait until the new hours are committed.
        rows = StaffMember.objects.for_business(business_id).filter(pk=staff_id).locked()
        person = rows.select_related("business").first()
        if person is None:
            raise NotFound
        if expected is not None and person.updated_at != expected:
            raise PreconditionFailed
        before, services_before = _state(person), _service_ids(person)
        name_before = person.name, person.is_active
        yield person
        reject_impossible(person)
        services = _service_ids(person)
        if not is_changed and services == services_before and _state(person) == before:
            return
        person.save(update_fields=["updated_at"])
        # A service shows the ids of those who offer it, so its `updated_at` moves, too.
        _touch_services(services_before ^ services)
        if (person.name, person.is_active) != name_before:
            touch_dependents(person)  # lists elsewhere show the names of active staff
        _record(person, now or timezone.now())


def _service_ids(person: StaffMember) -> set[int]:
    return set(person.services.values_list("pk", flat=True))


def _touch_services(ids: set[int]) -> None:
    services = Service.objects.filter(pk__in=ids)
    # Locks them by id, so that concurrent changes of two people never deadlock.
    list(services.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    services.update()


def _state(person: StaffMember) -> list[Any]:
    """All that `schedule_change` may change, but services, to be compared."""
    return [
        [getattr(person, name) for name in COLUMNS],
        sorted(person.working_hours.values_list(*WEEKLY_COLUMNS)),
        sorted(person.breaks.values_list(*WEEKLY_COLUMNS)),
        sorted(map(str, person.date_overrides.values_list("date", "start_minute", "end_minute"))),
        sorted(person.time_off.values_list("start_time", "end_time", "reason")),
    ]


def _record(person: StaffMember, now: datetime) -> None:
    load_schedules([person], business=person.business, now=now)
    data = StaffSerializer.render(person)
    record_event(business=person.business, type="staff.updated", data=data, now=now)


def _assign(person: StaffMember, values: Mapping[str, Any]) -> set[str]:
    """Sets the columns among `values`; returns the names of those that differ from before."""
    changed = {name for name in COLUMNS if name in values and getattr(person, name) != values[name]}
    for name in changed:
        setattr(person, name, values[name])
    return changed


def copy_weekday(*, staff: StaffMember, source: int, targets: Collection[int]) -> None:
    """Replaces the weekly hours and breaks of the weekdays `targets` (0 = Monday) by those of `source`.
    Raises ImpossibleHours."""
    with schedule_change(business_id=staff.business_id, staff_id=staff.pk):
        for model in (WorkingHours, Break):
            rows = model.objects.filter(staff=staff).values_list(
                "weekday", "start_minute", "end_minute"
            )
            unchanged = [row for row in rows if row[0] not in targets or row[0] == source]
            copied = [
                (target, start, end)
                for weekday, start, end in rows
                if weekday == source
                for target in targets
                if target != source
            ]
            replace_weekly(model, staff, unchanged + copied)


def add_time_off(
    *, staff: StaffMember, start: datetime, end: datetime, reason: str = ""
) -> TimeOff:
    """Adds time in which a person cannot be booked. Raises ImpossibleHours where it ends before it
    starts."""
    if end <= start:
        raise ImpossibleHours(errors={"end_time": [TIME_OFF_ENDS_AFTER_START]})
    with schedule_change(business_id=staff.business_id, staff_id=staff.pk) as person:
        return TimeOff.objects.create(
            business_id=person.business_id,
            staff=person,
            start_time=start,
            end_time=end,
            reason=reason,
        )


@contextmanager
def closure_change(*, business_id: int) -> Iterator[None]:
    """A context for changes of a business's closures. All its bookings wait until it ends."""
    with write_transaction():
        # Locks all staff, by id: bookings wait until the closure is committed.
        people = StaffMember.objects.for_business(business_id).order_by("pk").locked()
        list(people.values_list("pk", flat=True))
        # Bookings of services that need no staff.
        advisory_lock("closures", business_id)
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
    now: datetime | None = None,
) -> Closure:
    """Closes the business, see `Closure`, and records `closure.created`.

    Raises Invalid; ImpossibleHours where it ends before it starts.
    """
    closure = Closure(
        business=business,
        kind=kind,
        first_date=first_date,
        last_date=last_date,
        from_minute=from_minute,
        until_minute=until_minute,
        reason=reason,
    )
    _check_closure(closure)
    with closure_change(business_id=business.pk):
        closure.save(force_insert=True)
        _record_closure("closure.created", closure, now)
    return closure


def change_closure(
    *, business: Business, closure_id: int, changes: Mapping[str, Any], now: datetime
) -> Closure:
    """Applies `changes` (columns) and, where any of them differs from the stored value, records
    `closure.removed` of what was stored and `closure.created` of what is.

    Raises NotFound, Invalid, ImpossibleHours.
    """
    with closure_change(business_id=business.pk):
        closure = _locked_closure(business, closure_id)
        before = ClosureSerializer.render(closure)
        changed = {name for name, value in changes.items() if getattr(closure, name) != value}
        if not changed:
            return closure
        for name in changed:
            setattr(closure, name, changes[name])
        _check_closure(closure)
        closure.save()
        record_event(business=business, type="closure.removed", data=before, now=now)
        _record_closure("closure.created", closure, now)
    return closure


def remove_closure(
    *,
    business: Business,
    closure_id: int,
    expected: datetime | None = None,
    now: datetime | None = None,
) -> Closure:
    """Deletes a closure, records `closure.removed` and returns it. Raises NotFound,
    PreconditionFailed."""
    with write_transaction():
        closure = _locked_closure(business, closure_id)
        if expected is not None and closure.updated_at != expected:
            raise PreconditionFailed
        _record_closure("closure.removed", closure, now)
        Closure.objects.filter(pk=closure.pk).delete()
    return closure


def _locked_closure(business: Business, closure_id: int) -> Closure:
    # Locks the closure: of two concurrent deletions one records the event.
    rows = Closure.objects.for_business(business).filter(pk=closure_id)
    closure: Closure | None = rows.select_for_update().first()
    if closure is None:
        raise NotFound
    return closure


def _check_closure(closure: Closure) -> None:
    begins = (closure.first_date, closure.from_minute)
    if (closure.last_date, closure.until_minute) <= begins:
        # The field that the caller sent: the day and the end of the day are defaults.
        field = "until_time" if closure.until_minute < DAY_MINUTES else "from_time"
        field = "last_date" if closure.last_date < closure.first_date else field
        raise ImpossibleHours(errors={field: ["A closure ends after it starts."]})
    check_row(closure)


def _record_closure(type: str, closure: Closure, now: datetime | None) -> None:
    data = ClosureSerializer.render(closure)
    record_event(business=closure.business, type=type, data=data, now=now or timezone.now())
