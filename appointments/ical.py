"""Writes the appointments of one member of staff as iCalendar (RFC 5545).

Times are in UTC: calendar programs show them in their own zone. A cancelled appointment stays in the
feed as CANCELLED, as some programs do not remove an event that is no longer in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Calendar, Event, Timezone, TimezoneStandard

from appointments.models import Appointment, AppointmentStatus
from staff.models import StaffMember

RETENTION: Final = timedelta(days=60)  # older appointments are not in the feed
_REFRESH: Final = timedelta(minutes=15)

# RFC 5545 §3.1, CONTROL: not allowed in a property value. Line feeds are written as `\n`.
_LINE_ENDS: Final = re.compile("\r\n|[\r\x85\u2028\u2029]")  # readers end a value at the last three
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def calendar_of(staff: StaffMember, now: datetime) -> bytes:
    """The calendar of `staff` from `RETENTION` before `now` on. Needs `staff.business`."""
    appointments = (
        Appointment.objects.for_business(staff.business_id)
        .for_staff(staff.pk)
        .filter(start_time__gte=now - RETENTION)
        .select_related("customer", "service")
        .order_by("start_time", "pk")
    )
    return write_calendar(staff, appointments)


def write_calendar(staff: StaffMember, appointments: Iterable[Appointment]) -> bytes:
    """`appointments` as one VCALENDAR, in UTF-8. They need `customer` and `service`."""
    calendar = Calendar()
    calendar.add("prodid", "-//KaiVox//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _text(f"{staff.name}, {staff.business.name}"))
    calendar.add("x-wr-timezone", staff.business.timezone)
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for appointment in appointments:
        calendar.add_component(_event(appointment, staff.business.slug))
    if not calendar.subcomponents:
        # RFC 5545 §3.4: a calendar has at least one component.
        calendar.add_component(_utc())
    return bytes(calendar.to_ical())


def _event(appointment: Appointment, slug: str) -> Event:
    event = Event()
    event.add("uid", f"appointment-{appointment.pk}@{slug}.kaivox")
    event.add("summary", _text(f"{appointment.service.name}: {appointment.customer.name}"))
    event.add("dtstart", appointment.start_time.astimezone(UTC))
    event.add("dtend", appointment.end_time.astimezone(UTC))
    event.add(
        "status", "CANCELLED" if appointment.status == AppointmentStatus.CANCELLED else "CONFIRMED"
    )
    event.add("created", _second(appointment.created_at))
    event.add("last-modified", _second(appointment.updated_at))
    event.add("dtstamp", _second(appointment.updated_at))
    # Increases with every change: programs keep the version with the highest sequence.
    age = appointment.updated_at - appointment.created_at
    event.add("sequence", max(0, int(age.total_seconds())))
    if appointment.notes:
        event.add("description", _text(appointment.notes))
    return event


def _utc() -> Timezone:
    zone, standard = Timezone(), TimezoneStandard()
    zone.add("tzid", "UTC")
    standard.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001 - local, by RFC 5545 §3.6.5
    standard.add("tzoffsetfrom", timedelta(0))
    standard.add("tzoffsetto", timedelta(0))
    zone.add_component(standard)
    return zone


def _text(value: str) -> str:
    """`value` without control characters other than tabs and line feeds."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", value))


def _second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
