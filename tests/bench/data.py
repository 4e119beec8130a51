"""Big businesses, created quickly: by default ten with 10,000 appointments each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from appointments.models import Appointment, AppointmentStatus
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.businesses.operations import create_business, issue_api_key
from ratelimits.models import QuotaOverride
from services.models import Service
from staff.models import StaffMember

STAFF = 5
SERVICES = 10
CUSTOMERS = 500
FAR_AWAY = 10_000_000
_BATCH = 2_000


@dataclass(frozen=True)
class BenchBusiness:
    business: Business
    key: str


def make_businesses(count: int, appointments: int) -> list[BenchBusiness]:
    """Businesses of the Enterprise plan with a quota that no benchmark reaches; the limiter counts
    every request nevertheless."""
    now = timezone.now()
    made = [_make_business(number, now) for number in range(count)]
    total = count * appointments
    for number, one in enumerate(made):
        rows = list(_appointments(one.business, appointments, now))
        for start in range(0, len(rows), _BATCH):
            Appointment.objects.bulk_create(rows[start : start + _BATCH])
            done = number * appointments + min(start + _BATCH, appointments)
            show_progress("appointments", done, total)
    return made


def show_progress(what: str, done: int, total: int) -> None:
    """A progress bar on a terminal; elsewhere the last line only."""
    if sys.stderr.isatty():
        filled = 30 * done // total
        bar = "#" * filled + " " * (30 - filled)
        sys.stderr.write(f"\r[{bar}] {done:,} of {total:,} {what}")
    if done >= total:
        sys.stderr.write("\n" if sys.stderr.isatty() else f"{total:,} {what} made\n")
    sys.stderr.flush()


def _make_business(number: int, now: datetime) -> BenchBusiness:
    business = create_business(
        name=f"Bench {number}", slug=f"bench-{number}", timezone="Asia/Kolkata", country="IN",
        currency="INR", plan="enterprise", now=now,
    )  # fmt: skip
    QuotaOverride.objects.create(
        business=business, per_minute=FAR_AWAY, per_day=FAR_AWAY, ends_at=now + timedelta(days=1)
    )
    Service.objects.bulk_create(
        Service(business=business, name=f"Service {n}", duration_minutes=30, price=500 + n)
        for n in range(SERVICES)
    )
    StaffMember.objects.bulk_create(
        StaffMember(business=business, name=f"Person {n}") for n in range(STAFF)
    )
    Customer.objects.bulk_create(
        Customer(business=business, name=f"Customer {n}", phone=f"+9198{number:03d}{n:05d}")
        for n in range(CUSTOMERS)
    )
    key = issue_api_key(business_id=business.pk, name="bench", now=now).secret
    return BenchBusiness(business, key)


def _appointments(business: Business, count: int, now: datetime) -> Iterator[Appointment]:
    """Consecutive half hours up to next month, with the members of staff in turn."""
    services = list(Service.objects.for_business(business).order_by("id"))
    staff = list(StaffMember.objects.for_business(business).order_by("id"))
    customers = list(Customer.objects.for_business(business).order_by("id"))
    half_hour = timedelta(minutes=30)
    last = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=30)
    first = last - half_hour * (count // len(staff))
    for number in range(count):
        start = first + half_hour * (number // len(staff))
        service = services[number % len(services)]
        yield Appointment(
            business=business,
            customer=customers[number % len(customers)],
            service=service,
            staff=staff[number % len(staff)],
            start_time=start,
            end_time=start + half_hour,
            busy_start=start,
            busy_end=start + half_hour,
            duration_minutes=30,
            price=service.price,
            currency=business.currency,
            status=AppointmentStatus.COMPLETED if start < now else AppointmentStatus.SCHEDULED,
            source="bench",
        )
