"""One big clinic with staff, hours and 100,000 appointments, for the scheduling benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

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
    # The service of the same staff that requires every kind of resource, if there are any.
    equipped_service_id: int | None = None


def make_clinic(
    database_url: str,
    *,
    people: int,
    appointments: int,
    hours: tuple[tuple[int, int], ...],
    kinds: int = 0,
) -> BenchClinic:
    """A clinic in UTC whose staff work `hours` (minutes) every day and have eight appointments a
    day from yesterday to a month ahead; all others are in the past.

    With `kinds` of resources, each appointment reserves a resource. There are as many resources as people,
    who all work at once: with five kinds and twenty people four of each kind.
    """
    os.environ |= {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    django.setup()
    from django.db import connection

    clinic = _fill(people, appointments, hours, kinds)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # a minute and more on a busy machine
        cursor.execute(_RESERVE_RESOURCES)
        cursor.execute("ANALYZE")
    connection.close()
    return clinic


# As `reserve_resources` does for a single one.
_RESERVE_RESOURCES: Final = """
INSERT INTO appointments_resourcebooking (business_id, appointment_id, resource_id, service_id,
    staff_id, start_time, busy_start, busy_end, is_shared, status, created_at, updated_at)
SELECT business_id, id, resource::bigint, service_id,
    staff_id, start_time, busy_start, busy_end, is_shared, status, created_at, updated_at
FROM appointments_appointment CROSS JOIN jsonb_array_elements_text(resource_ids) AS resource
"""


def _fill(
    people: int, appointments: int, hours: tuple[tuple[int, int], ...], kinds: int
) -> BenchClinic:
    from appointments.models import Appointment
    from appointments.resources.models import Resource
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
    services = [service]
    of_person: list[list[int]] = [[] for _ in staff]
    if kinds:
        names = [f"kind_{number}" for number in range(kinds)]
        resources = Resource.objects.bulk_create(
            Resource(business=business, name=f"Resource {number}", kind=names[number % kinds])
            for number in range(people)
        )
        of_person = [[one.pk] for one in resources]
        services.append(
            Service.objects.create(
                business=business, name="Laser", duration_minutes=30, buffer_after_minutes=5,
                price=900, resource_kinds=names,
            )
        )  # fmt: skip
    for person in staff:
        person.services.add(*services)
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
    customer_ids = [one.pk for one in customers]
    placed = list(zip(staff, of_person, strict=True))
    rows = _appointments(service, placed, customer_ids, appointments, now)
    Appointment.objects.bulk_create(rows, batch_size=2000)
    key = issue_api_key(business_id=business.pk, name="bench", now=now).secret
    return BenchClinic(
        key,
        service.pk,
        [one.pk for one in staff],
        customer_ids,
        services[-1].pk if kinds else None,
    )


def _appointments(
    service: Service,
    placed: list[tuple[StaffMember, list[int]]],
    customers: list[int],
    count: int,
    now: datetime,
) -> Iterator[Any]:
    from appointments.models import Appointment, AppointmentStatus

    last = datetime.combine(now.date() + timedelta(days=33), time(9), UTC)
    made = 0
    for back in range(count):
        day = last - timedelta(days=back)
        for person, resource_ids in placed:
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
                    resource_ids=resource_ids,
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
