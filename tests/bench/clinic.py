"""One big clinic with staff, hours and 100,000 appointments, for the scheduling benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import django

from tests.stack import ROOT

if TYPE_CHECKING:
    from services.models import Service
    from staff.models import StaffMember

A_DAY = 8
FAR_AWAY = 10_000_000


@dataclass(frozen=True)
class BenchClinic:
    key: str
    service_id: int
    staff_ids: list[int]
    customer_ids: list[int]


def make_clinic(
    database_url: str, *, people: int, appointments: int, hours: tuple[tuple[int, int], ...]
) -> BenchClinic:
    """A clinic in UTC whose staff work `hours` (minutes) every day and have eight appointments a
    day from yesterday to a month ahead; all others are in the past."""
    os.environ |= {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    django.setup()
    from django.db import connection

    clinic = _fill(people, appointments, hours)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()
    return clinic


def _fill(people: int, appointments: int, hours: tuple[tuple[int, int], ...]) -> BenchClinic:
    from appointments.models import Appointment
    from customers.models import Customer
    from kaivox.businesses.operations import create_business, issue_api_key
    from ratelimits.models import QuotaOverride
    from services.models import Service
    from staff.models import StaffMember, WorkingHours

    now = datetime.now(UTC)
    business = create_business(
        name="Bench clinic", slug="bench-clinic", timezone="UTC", country="IN", currency="INR",
        plan="enterprise", now=now,
    )  # fmt: skip
    QuotaOverride.objects.create(
        business=business, per_minute=FAR_AWAY, per_day=FAR_AWAY, ends_at=now + timedelta(days=1)
    )
    service = Service.objects.create(
        business=business, name="Check", duration_minutes=30, buffer_after_minutes=5, price=500
    )
    staff = StaffMember.objects.bulk_create(
        StaffMember(business=business, name=f"Person {number}") for number in range(people)
    )
    for person in staff:
        person.services.add(service)
    WorkingHours.objects.bulk_create(
        WorkingHours(
            business=business, staff=person, weekday=weekday, start_minute=start, end_minute=end
        )
        for person in staff
        for weekday in range(7)
        for start, end in hours
    )
    customers = Customer.objects.bulk_create(
        Customer(business=business, name=f"Customer {number}", phone=f"+9198{number:08d}")
        for number in range(1000)
    )
    rows = _appointments(service, staff, [one.pk for one in customers], appointments, now)
    Appointment.objects.bulk_create(rows, batch_size=2000)
    key = issue_api_key(business_id=business.pk, name="bench", now=now).secret
    return BenchClinic(key, service.pk, [one.pk for one in staff], [one.pk for one in customers])


def _appointments(
    service: Service, staff: list[StaffMember], customers: list[int], count: int, now: datetime
) -> Iterator[Any]:
    from appointments.models import Appointment, AppointmentStatus

    last = datetime.combine(now.date() + timedelta(days=33), time(9), UTC)
    made = 0
    for back in range(count):
        day = last - timedelta(days=back)
        for person in staff:
            for number in range(A_DAY):
                if made == count:
                    return
                made += 1
                start = day + timedelta(hours=number)
                end = start + timedelta(minutes=30)
                yield Appointment(
                    business_id=service.business_id,
                    customer_id=customers[made % len(customers)],
                    service=service,
                    staff=person,
                    start_time=start,
                    end_time=end,
                    busy_start=start,
                    busy_end=end + timedelta(minutes=5),
                    duration_minutes=30,
                    price=service.price,
                    currency="INR",
                    status=AppointmentStatus.COMPLETED
                    if start < now
                    else AppointmentStatus.SCHEDULED,
                )
