"""Makes the demo's businesses as the API would: catalogue, people, customers, calendar, calls."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Coalesce

from appointments.models import Appointment, Status
from appointments.operations import book_appointment
from customers.models import Customer
from customers.operations import Activity, create_customer, record_activity
from kaivox.businesses.models import Business
from kaivox.businesses.operations import create_business
from kaivox.businesses.write_lock import atomic_write
from kaivox.demo.catalogue import BUSINESSES, DemoBusiness, DemoStaff
from kaivox.demo.phone_calls import fill_calls
from kaivox.demo.planning import Plan, chance_of, lapsed_plans_of, plans_of
from kaivox.errors import DomainError
from services.models import Service
from staff.models import Break, Closure, StaffMember, TimeOff, WorkingHours

_SOURCES: Final = ("voice", "voice", "voice", "website", "walk_in")
_REASONS: Final = ("Feeling unwell", "Something came up at work", "Travelling", "")


@dataclass
class Made:
    """The rows of one business, by the names of the catalogue."""

    business: Business
    services: dict[str, Service]
    staff: dict[str, StaffMember]
    customers: list[Customer]


def fill_demo(*, now: datetime) -> list[Business]:
    """The demo's businesses; each that is missing is made, whole or not at all. Returns the new."""
    known = set(Business.objects.values_list("slug", flat=True))
    return [fill_business(demo, now=now) for demo in BUSINESSES if demo.slug not in known]


@atomic_write
def fill_business(demo: DemoBusiness, *, now: datetime) -> Business:
    business = create_business(slug=demo.slug, now=now, **demo.settings)
    _fill(demo, business, now)
    return business


@atomic_write
def fill_sandbox(*, business: Business, now: datetime) -> None:
    """`settings.SANDBOX_FILLER`: fills a business that has no rows with the data of the demo that
    comes nearest to it."""
    by_country = {demo.settings["country"]: demo for demo in reversed(BUSINESSES)}
    _fill(by_country.get(business.country, BUSINESSES[0]), business, now)


def _fill(demo: DemoBusiness, business: Business, now: datetime) -> None:
    services = _make_services(demo, business)
    made = Made(
        business=business,
        services=services,
        staff={person.name: _make_staff(person, business, services) for person in demo.staff},
        customers=_make_customers(demo, business, now),
    )
    today = now.astimezone(business.zone).date()
    _make_closures(demo, business, today)
    _make_time_off(demo, made, today)
    plans = list(plans_of(demo, today))
    past = [plan for plan in plans if plan.start <= now]
    _make_history(demo, made, past, list(lapsed_plans_of(demo, today)), now)
    _book(demo, made, [plan for plan in plans if plan.start > now], now)
    fill_calls(demo, business, made.customers, now=now)


def _make_services(demo: DemoBusiness, business: Business) -> dict[str, Service]:
    return {
        one.name: Service.objects.create(
            business=business,
            name=one.name,
            description=one.description,
            duration_minutes=one.minutes,
            buffer_before_minutes=one.buffer_before,
            buffer_after_minutes=one.buffer_after,
            price=one.price,
        )
        for one in demo.services
    }


def _make_staff(person: DemoStaff, business: Business, services: dict[str, Service]) -> StaffMember:
    name = person.name.removeprefix("Dr. ").split()[0].lower()
    member = StaffMember.objects.create(
        business=business,
        name=person.name,
        specialty=person.specialty,
        email=f"{name}@{business.contact_email.partition('@')[2] or 'example.com'}",
    )
    member.services.set([services[offered] for offered in person.services])
    for shift in person.shifts:
        for weekday in shift.weekdays:
            WorkingHours.objects.create(
                business=business,
                staff=member,
                weekday=weekday,
                start_minute=shift.start,
                end_minute=shift.end,
            )
            if shift.pause:
                Break.objects.create(
                    business=business,
                    staff=member,
                    weekday=weekday,
                    start_minute=shift.pause[0],
                    end_minute=shift.pause[1],
                )
    return member


def _make_customers(demo: DemoBusiness, business: Business, now: datetime) -> list[Customer]:
    chance = chance_of(demo, "customers")
    customers = []
    for number, name in enumerate(demo.customers):
        known_since = now - timedelta(days=chance.randint(40, 400), minutes=chance.randint(0, 600))
        customer = create_customer(
            business=business,
            name=name,
            phone=demo.mobile.format(number + 1),
            email=f"{name.lower().replace(' ', '.').replace(chr(39), '')}@example.com",
            source=chance.choice(_SOURCES),
            now=known_since,
        )
        Customer.objects.filter(pk=customer.pk).update(created_at=known_since)
        customers.append(customer)
    return customers


def _make_closures(demo: DemoBusiness, business: Business, today: date) -> None:
    """The coming twelve months' holidays."""
    for month, day, reason in demo.holidays:
        date_ = date(today.year, month, day)
        if date_ < today:
            date_ = date(today.year + 1, month, day)
        Closure.objects.create(business=business, first_date=date_, last_date=date_, reason=reason)


def _make_time_off(demo: DemoBusiness, made: Made, today: date) -> None:
    """The last of the staff has a holiday in three weeks, after the last booking of the demo."""
    person = made.staff[demo.staff[-1].name]
    start = datetime.combine(today + timedelta(days=21), datetime.min.time(), made.business.zone)
    TimeOff.objects.create(
        business=made.business,
        staff=person,
        start_time=start,
        end_time=start + timedelta(days=5),
        reason="Annual leave",
    )


def _make_history(
    demo: DemoBusiness, made: Made, plans: Sequence[Plan], lapsed: Sequence[Plan], now: datetime
) -> None:
    """What lies behind us: the booking rules refuse the past, so these are rows as they would be."""
    chance = chance_of(demo, "history")
    regulars = _regulars(made)
    rows = [_past_row(made, plan, regulars(chance), chance.random(), now) for plan in plans]
    once = made.customers[-len(lapsed) :]
    rows += [_past_row(made, plan, who, 0.0, now) for plan, who in zip(lapsed, once, strict=True)]
    Appointment.objects.bulk_create(rows)
    ours = Appointment.objects.for_business(made.business)
    ours.update(created_at=F("start_time") - timedelta(days=5), updated_at=F("start_time"))
    ours.exclude(status=Status.SCHEDULED).update(updated_at=F("end_time"))
    _tell_customers(made.business, now)


def _regulars(made: Made) -> Callable[[random.Random], Customer]:
    """Picks customers: a few come all the time, most now and then, a dozen never did."""
    people = made.customers[:-18]
    weights = [1 / (rank + 4) for rank in range(len(people))]
    return lambda chance: chance.choices(people, weights)[0]


def _tell_customers(business: Business, now: datetime) -> None:
    done = Q(status=Status.COMPLETED)
    figures = (
        Appointment.objects.for_business(business)
        .values("customer_id")
        .annotate(
            total=Count("pk", filter=~Q(status=Status.CANCELLED)),
            spent=Coalesce(Sum("price", filter=done), Decimal(0)),
            last_visit=Max("start_time", filter=done),
            last_booked=Max("created_at"),
        )
        .values_list("customer_id", "total", "spent", "last_visit", "last_booked")
    )
    for customer_id, *counted in figures:
        _tell_customer(customer_id, Activity(*counted), now)


def _tell_customer(customer_id: int, activity: Activity, now: datetime) -> None:
    record_activity(
        customer_id=customer_id,
        count=lambda: activity,
        booked=True,
        completed=activity.last_visit_at is not None,
        now=now,
    )


def _past_row(
    made: Made, plan: Plan, customer: Customer, luck: float, now: datetime
) -> Appointment:
    service, staff = made.services[plan.service.name], made.staff[plan.staff.name]
    status = (
        Status.COMPLETED if luck < 0.82 else Status.NO_SHOW if luck < 0.89 else Status.CANCELLED
    )
    if plan.end > now and status != Status.CANCELLED:
        status = Status.SCHEDULED
    return Appointment(
        business=made.business,
        customer=customer,
        service=service,
        staff=staff,
        start_time=plan.start,
        end_time=plan.end,
        busy_start=plan.start - timedelta(minutes=service.buffer_before_minutes),
        busy_end=plan.end + timedelta(minutes=service.buffer_after_minutes),
        duration_minutes=service.duration_minutes,
        price=service.price,
        currency=made.business.currency,
        status=status,
        source=_SOURCES[int(luck * 1000) % len(_SOURCES)],
        cancellation_reason=_REASONS[int(luck * 1000) % len(_REASONS)]
        if status == Status.CANCELLED
        else "",
    )


def _book(demo: DemoBusiness, made: Made, plans: Sequence[Plan], now: datetime) -> None:
    """What is to come, booked as the API books; where a rule says no, the time stays free."""
    chance = chance_of(demo, "bookings")
    regulars = _regulars(made)
    by_customer: dict[int, int] = defaultdict(int)
    for plan in plans:
        customer = regulars(chance)
        if by_customer[customer.pk] >= 2:
            continue
        try:
            book_appointment(
                business=made.business,
                customer=customer,
                service=made.services[plan.service.name],
                staff=made.staff[plan.staff.name],
                start=plan.start,
                source=chance.choice(_SOURCES),
                now=now,
            )
        except DomainError:
            continue
        by_customer[customer.pk] += 1
