"""Upcoming appointments of the demo that belong together: classes, a visit and a weekly series; and who
waits for a class that is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final

from appointments.groups.models import AppointmentSeries, Visit
from appointments.groups.operations import AppointmentDetails
from appointments.models import Appointment, AppointmentQuerySet
from appointments.operations import book_appointment
from appointments.series.operations import book_series
from appointments.series.plans import SeriesRequest, plan_series
from appointments.series.recurrence import Frequency, Recurrence
from appointments.visits.operations import VisitRequest, book_visit
from appointments.waitlist.models import WaitlistEntry
from appointments.waitlist.operations import join_waitlist
from kaivox.demo.appointments import Session, chance_of
from kaivox.demo.catalogue import DemoBusiness, DemoSeries
from kaivox.demo.rows import Made, booked_at
from kaivox.errors import DomainError

# Days after today on which the visit may be.
_VISIT_DAYS: Final = range(3, 14)
# Not in calls, which would have to be there too.
_SOURCES: Final = ("website", "website", "walk_in")


def book_groups(demo: DemoBusiness, made: Made, now: datetime) -> None:
    """Books the visit and the series of the catalogue."""
    today = now.astimezone(made.business.zone).date()
    if demo.visit:
        _book_visit(demo, made, today, now)
    if demo.series:
        _book_series(demo, made, demo.series, today, now)


def book_sessions(
    demo: DemoBusiness, made: Made, sessions: Sequence[Session], now: datetime
) -> None:
    """Books the seats of `sessions` that are to be booked; for the one that is full a customer
    waits."""
    chance = chance_of(demo, "classes")
    for session in sessions:
        service, staff = (
            made.services[session.plan.service.name],
            made.staff[session.plan.staff.name],
        )
        for customer in chance.sample(made.regulars, session.seats_booked):
            booked = book_appointment(
                business=made.business,
                customer=customer,
                service=service,
                staff=staff,
                start=session.plan.start,
                source=chance.choice(_SOURCES),
                now=now,
            )
            _backdate(
                Appointment.objects.filter(pk=booked.pk), booked_at(made.business, chance, now)
            )
        if session.is_full:
            entry = join_waitlist(
                business=made.business,
                customer=made.waiting,
                service=service,
                date_from=session.plan.start.date(),
                now=now,
            )
            WaitlistEntry.objects.filter(pk=entry.pk).update(created_at=now - timedelta(hours=3))


def _book_visit(demo: DemoBusiness, made: Made, today: date, now: datetime) -> None:
    """Books the visit on the first day on which it can begin when the first of the staff does."""
    chance = chance_of(demo, "visit")
    shift = demo.staff[0].shifts[0]
    details = AppointmentDetails(made.regulars[0], source="website")
    services = [(made.services[name], None) for name in demo.visit]
    for days in _VISIT_DAYS:
        start = _at(made, today + timedelta(days=days), shift.start)
        try:
            visit = book_visit(VisitRequest(made.business, services, start, now), details)
        except DomainError:
            continue
        at = booked_at(made.business, chance, now)
        Visit.objects.filter(pk=visit.pk).update(created_at=at)
        _backdate(Appointment.objects.filter(visit=visit), at)
        return


def _book_series(
    demo: DemoBusiness, made: Made, series: DemoSeries, today: date, now: datetime
) -> None:
    """Books the series from next week on, without the weeks in which it cannot be booked."""
    first = today + timedelta(days=7 + (series.weekday - today.weekday()) % 7)
    request = SeriesRequest(
        business=made.business,
        service=made.services[series.service],
        staff=made.staff[series.staff],
        start=_at(made, first, series.start),
        rule=Recurrence(Frequency.WEEKLY, number=series.number),
        now=now,
    )
    left_out = {clash.number: None for clash in plan_series(request).clashes}
    details = AppointmentDetails(made.regulars[1], source="walk_in")
    booked = book_series(replace(request, exceptions=left_out), details)
    at = booked_at(made.business, chance_of(demo, "series"), now)
    AppointmentSeries.objects.filter(pk=booked.pk).update(created_at=at)
    _backdate(Appointment.objects.filter(series=booked), at)


def _at(made: Made, day: date, minute: int) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60), tzinfo=made.business.zone)


def _backdate(rows: AppointmentQuerySet, at: datetime) -> None:
    rows.update(created_at=at, updated_at=at)
