"""Rows of one person's schedule: replaces weekly hours, breaks, hours of single dates and time off, and
checks them.

Called within `staff.operations.schedule_change`, which locks the person and records the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Q

from kaivox.errors import Invalid
from staff.hours import override_problem, overrides_by_date, schedule_problem, weekly_hours
from staff.models import Break, DateOverride, StaffMember, TimeOff, WeeklyWindow, WorkingHours
from staff.schedules import last_midnight

# (weekday, start minute, end minute)
Weekly = tuple[int, int, int]
# (start, end, reason)
Absence = tuple[datetime, datetime, str]

# (date, [(start minute, end minute), …])
Override = tuple[date, Sequence[tuple[int, int]]]

WEEKLY_COLUMNS: Final = ("weekday", "start_minute", "end_minute")
TIME_OFF_ENDS_AFTER_START: Final = "Time off ends after it starts."
_HOURS_END_AFTER_START: Final = "Hours end after they start. To work past midnight, end at 24:00 and begin the next day at 00:00."


class ImpossibleHours(Invalid):
    code = "impossible_hours"
    message = "These hours contradict each other."


def set_schedule(person: StaffMember, values: Mapping[str, Any], now: datetime) -> None:
    """Replaces services, weekly hours, hours of single dates and time off, as far as `values` has them;
    see `update_staff`.

    Raises ImpossibleHours.
    """
    if "services" in values:
        # These are not shown, so a caller who sends back what it read does not name them.
        hidden = person.services.filter(Q(is_active=False) | Q(needs_staff=False))
        person.services.set({*values["services"], *hidden})
    if "working_hours" in values:
        hours = values["working_hours"]
        _reject_contradicting(hours)
        stored = person.working_hours.values_list(*WEEKLY_COLUMNS)
        breaks = person.breaks.values_list(*WEEKLY_COLUMNS)
        if weekly_hours(stored, breaks) != weekly_hours(hours):
            replace_weekly(WorkingHours, person, hours)
            replace_weekly(Break, person, ())
    if "date_overrides" in values:
        _replace_overrides(person, values["date_overrides"], now)
    if "time_off" in values:
        _replace_time_off(person, values["time_off"], now)


def replace_weekly(model: type[WeeklyWindow], staff: StaffMember, rows: Iterable[Weekly]) -> None:
    """Replaces all rows of `model` of a person."""
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


def reject_impossible(person: StaffMember) -> None:
    """Raises ImpossibleHours where the stored hours, breaks or overrides contradict each other."""
    weekly = schedule_problem(
        person.working_hours.values_list(*WEEKLY_COLUMNS),
        person.breaks.values_list(*WEEKLY_COLUMNS),
    )
    if weekly:
        raise ImpossibleHours(weekly, errors={"working_hours": [weekly]})
    dated = override_problem(
        person.date_overrides.values_list("date", "start_minute", "end_minute")
    )
    if dated:
        raise ImpossibleHours(dated, errors={"date_overrides": [dated]})


def _reject_contradicting(rows: Iterable[Weekly]) -> None:
    is_reversed = any(start >= end for _, start, end in rows)
    problem = _HOURS_END_AFTER_START if is_reversed else schedule_problem(rows, ())
    if problem:
        raise ImpossibleHours(problem, errors={"working_hours": [problem]})


def _replace_overrides(person: StaffMember, overrides: Iterable[Override], now: datetime) -> None:
    """Replaces the hours on single dates from today on. Dates whose hours stay the same are not written
    again."""
    today = now.astimezone(person.business.zone).date()
    wanted: list[tuple[date, int | None, int | None]] = []
    days: set[date] = set()
    for day, windows in overrides:
        if day in days:
            raise _bad_override(f"{day} is there twice. Send all its hours at once.")
        if day < today:
            raise _bad_override(f"{day} is over already. Leave it out.")
        if any(start >= end for start, end in windows):
            raise _bad_override(_HOURS_END_AFTER_START)
        days.add(day)
        wanted += [(day, start, end) for start, end in windows] or [(day, None, None)]
    if problem := override_problem(wanted):
        raise _bad_override(problem)
    coming = person.date_overrides.filter(date__gte=today)
    stored = coming.values_list("date", "start_minute", "end_minute")
    hours_before, hours = overrides_by_date(stored), overrides_by_date(wanted)
    changed = {day for day in hours_before.keys() | days if hours_before.get(day) != hours.get(day)}
    person.date_overrides.filter(date__in=changed).delete()
    DateOverride.objects.bulk_create(
        DateOverride(
            business_id=person.business_id,
            staff=person,
            date=day,
            start_minute=start,
            end_minute=end,
        )
        for day, start, end in wanted
        if day in changed
    )


def _bad_override(problem: str) -> ImpossibleHours:
    return ImpossibleHours(problem, errors={"date_overrides": [problem]})


def _replace_time_off(person: StaffMember, absences: Iterable[Absence], now: datetime) -> None:
    """Rows that stay the same are not written again; the API shows whole seconds of them."""
    since = last_midnight(person.business, now)
    wanted = {
        (start.replace(microsecond=0), end.replace(microsecond=0), reason)
        for start, end, reason in absences
    }
    for start, end, _ in wanted:
        if end <= start:
            raise ImpossibleHours(errors={"time_off": [TIME_OFF_ENDS_AFTER_START]})
        if end <= since:
            raise ImpossibleHours(errors={"time_off": ["It is over already. Leave it out."]})
    stored = {
        (
            row.start_time.replace(microsecond=0),
            row.end_time.replace(microsecond=0),
            row.reason,
        ): row.pk
        for row in person.time_off.filter(end_time__gt=since)
    }
    person.time_off.filter(pk__in=[pk for key, pk in stored.items() if key not in wanted]).delete()
    TimeOff.objects.bulk_create(
        TimeOff(
            business_id=person.business_id,
            staff=person,
            start_time=start,
            end_time=end,
            reason=reason,
        )
        for start, end, reason in sorted(wanted - stored.keys())
    )
