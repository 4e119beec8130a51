"""A person's appointments as iCalendar (RFC 5545), for a phone or a calendar program to follow.

Times are instants in UTC: each program shows them in its own zone, and no change of the clocks can
move them. A cancelled appointment stays, as CANCELLED, or programs would keep showing the old one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Calendar, Event

from appointments.models import Appointment, Status
from staff.models import StaffMember

# What lies further back is no longer of use on a phone.
KEPT: Final = timedelta(days=60)
_REFRESH: Final = timedelta(minutes=15)


def calendar_of(staff: StaffMember, now: datetime) -> bytes:
    """The calendar from 60 days ago on; needs `staff.business`."""
    appointments = (
        Appointment.objects.for_business(staff.business_id)
        .of_staff(staff.pk)
        .filter(start_time__gte=now - KEPT)
        .select_related("customer", "service")
        .order_by("start_time", "pk")
    )
    return write_calendar(staff, appointments)


def write_calendar(staff: StaffMember, appointments: Iterable[Appointment]) -> bytes:
    """`appointments` as one VCALENDAR; need `customer` and `service`."""
    calendar = Calendar()
    calendar.add("prodid", "-//KaiVox//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{staff.name}, {staff.business.name}")
    calendar.add("x-wr-timezone", staff.business.timezone)
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for appointment in appointments:
        calendar.add_component(_event(appointment, staff.business.slug))
    return bytes(calendar.to_ical())


def _event(appointment: Appointment, slug: str) -> Event:
    event = Event()
    event.add("uid", f"appointment-{appointment.pk}@{slug}.kaivox")
    event.add("summary", f"{appointment.service.name}: {appointment.customer.name}")
    event.add("dtstart", appointment.start_time.astimezone(UTC))
    event.add("dtend", appointment.end_time.astimezone(UTC))
    event.add("status", "CANCELLED" if appointment.status == Status.CANCELLED else "CONFIRMED")
    event.add("created", _second(appointment.created_at))
    event.add("last-modified", _second(appointment.updated_at))
    event.add("dtstamp", _second(appointment.updated_at))
    # Grows with every change, so that a program takes the newer one.
    age = appointment.updated_at - appointment.created_at
    event.add("sequence", max(0, int(age.total_seconds())))
    if appointment.notes:
        event.add("description", appointment.notes)
    return event


def _second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
