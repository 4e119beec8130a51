"""Creates the demo's businesses through the operations, with a history of activity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import F, Min

from appointments.models import Appointment, Confirmation
from appointments.operations import book_appointment
from appointments.resources.hours import stored_hours
from appointments.resources.models import Resource
from customers.models import Customer
from customers.operations import create_customer
from kaivox.businesses.models import Business
from kaivox.businesses.operations import create_business
from kaivox.db.transactions import atomic_write
from kaivox.demo.activity import seed_deliveries, seed_request_log, seed_usage
from kaivox.demo.appointments import (
    Plan,
    chance_of,
    lapsed_plans_of,
    plans_of,
    sessions_of,
    windows_of,
)
from kaivox.demo.calendars import seed_calendars
from kaivox.demo.calls import seed_calls
from kaivox.demo.catalogue import BUSINESSES, DemoBusiness, DemoStaff, Shift
from kaivox.demo.groups import book_groups, book_sessions
from kaivox.demo.history import make_history
from kaivox.demo.rows import SOURCES, Made, booked_at, regulars_of
from kaivox.errors import DomainError
from services.models import Service
from staff.models import Break, Closure, StaffMember, TimeOff, WorkingHours

# Of the appointments of the next days, whose customers have been reminded.
_REMINDED_BEFORE: Final = timedelta(days=2)
_CONFIRMATIONS: Final = (
    Confirmation.CONFIRMED,
    Confirmation.REQUESTED,
    Confirmation.CONFIRMED,
    Confirmation.DECLINED,
)


def seed_demo(*, now: datetime) -> list[Business]:
    """Creates the missing demo businesses, each in one transaction. Returns the new ones."""
    known = set(Business.objects.values_list("slug", flat=True))
    return [seed_business(demo, now=now) for demo in BUSINESSES if demo.slug not in known]


@atomic_write
def seed_business(demo: DemoBusiness, *, now: datetime) -> Business:
    business = create_business(slug=demo.slug, now=now, **demo.settings)
    _seed(demo, business, now)
    return business


@atomic_write
def seed_sandbox(*, business: Business, now: datetime) -> None:
    """Fills a new sandbox with the data of the demo business of its country."""
    by_country = {demo.settings["country"]: demo for demo in reversed(BUSINESSES)}
    _seed(by_country.get(business.country, BUSINESSES[0]), business, now)


def _seed(demo: DemoBusiness, business: Business, now: datetime) -> None:
    services = _make_services(demo, business)
    made = Made(
        business=business,
        services=services,
        staff={person.name: _make_staff(person, business, services) for person in demo.staff},
        resources=_make_resources(demo, business),
        customers=_make_customers(demo, business, now),
    )
    today = now.astimezone(business.zone).date()
    _make_closures(demo, business, today)
    _make_time_off(demo, made, today)
    seed_calendars(demo, made, today, now)
    plans = list(plans_of(demo, today))
    past = [plan for plan in plans if plan.start <= now]
    sessions = list(sessions_of(demo, today))
    held = [one for one in sessions if one.plan.start <= now]
    make_history(demo, made, past, held, list(lapsed_plans_of(demo, today)), now)
    # Before the single appointments, which get the times that are left.
    book_groups(demo, made, now)
    book_sessions(demo, made, [one for one in sessions if one.plan.start > now], now)
    bookings = _book(demo, made, [plan for plan in plans if plan.start > now], now)
    _correct_customer_dates(business)
    seed_calls(demo, business, made.customers, bookings, now=now)
    seed_deliveries(demo, business, now=now)
    seed_usage(demo, business, now=now)
    seed_request_log(demo, business, now=now)


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
            capacity=one.capacity,
            resource_kinds=list(one.resource_kinds),
            needs_staff=one.needs_staff,
            cancellation_window_minutes=one.window and one.window * 60,
            reschedule_window_minutes=one.window and one.window * 60,
        )
        for one in demo.services
    }


def _make_resources(demo: DemoBusiness, business: Business) -> list[Resource]:
    made = [
        Resource.objects.create(
            business=business,
            name=one.name,
            kind=one.kind,
            capacity=one.capacity,
            hours=_hours_of(one.shift) if one.shift else [],
        )
        for one in demo.resources
    ]
    return sorted(made, key=lambda one: (one.capacity, one.pk))


def _hours_of(shift: Shift) -> list[dict[str, Any]]:
    rows = [(weekday, *window) for weekday in shift.weekdays for window in windows_of(shift)]
    return stored_hours(rows)


def _make_staff(person: DemoStaff, business: Business, services: dict[str, Service]) -> StaffMember:
    name = person.name.removeprefix("Dr. ").split()[0].lower()
    member = StaffMember.objects.create(
        business=business,
        name=person.name,
        specialty=person.specialty,
        email=f"{name}@{business.contact_email.partition('@')[2] or 'example.com'}",
    )
    offered = [services[name] for name in person.services]
    member.services.set([one for one in offered if one.needs_staff])
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
            source=chance.choice(SOURCES),
            now=known_since,
        )
        Customer.objects.filter(pk=customer.pk).update(created_at=known_since)
        customers.append(customer)
    return customers


def _make_closures(demo: DemoBusiness, business: Business, today: date) -> None:
    """The holidays of the next twelve months."""
    for month, day, reason in demo.holidays:
        date_ = date(today.year, month, day)
        if date_ < today:
            date_ = date(today.year + 1, month, day)
        Closure.objects.create(business=business, first_date=date_, last_date=date_, reason=reason)


def _make_time_off(demo: DemoBusiness, made: Made, today: date) -> None:
    """Time off of one staff member in three weeks, after the last booking of the demo."""
    person = made.staff[demo.staff[-1].name]
    start = datetime.combine(today + timedelta(days=21), datetime.min.time(), made.business.zone)
    TimeOff.objects.create(
        business=made.business,
        staff=person,
        start_time=start,
        end_time=start + timedelta(days=5),
        reason="Annual leave",
    )


def _book(
    demo: DemoBusiness, made: Made, plans: Sequence[Plan], now: datetime
) -> dict[str, Appointment]:
    """Books upcoming appointments through the operation; times that a rule rejects stay free.

    Returns those that were booked in a call, by the provider's id of the call.
    """
    chance = chance_of(demo, "bookings")
    regulars = regulars_of(made)
    by_customer: dict[int, int] = defaultdict(int)
    in_calls: dict[str, Appointment] = {}
    for number, plan in enumerate(plans):
        customer = regulars(chance)
        if by_customer[customer.pk] >= 2:
            continue
        source = chance.choice(SOURCES)
        call_id = f"demo-{demo.slug}-booking-{len(in_calls)}" if source == "voice" else None
        try:
            booked = book_appointment(
                business=made.business,
                customer=customer,
                service=made.services[plan.service.name],
                staff=made.performer(plan),
                start=plan.start,
                party_size=chance.choice(demo.parties),
                source=source,
                call_id=call_id,
                now=now,
            )
        except DomainError:
            continue
        by_customer[customer.pk] += 1
        created_at = booked_at(made.business, chance, now)
        Appointment.objects.filter(pk=booked.pk).update(
            created_at=created_at,
            updated_at=created_at,
            confirmation=_CONFIRMATIONS[number % len(_CONFIRMATIONS)]
            if plan.start < now + _REMINDED_BEFORE
            else Confirmation.NONE,
        )
        if call_id is not None:
            booked.created_at = created_at
            in_calls[call_id] = booked
    return in_calls


def _correct_customer_dates(business: Business) -> None:
    """No customer was created after their first booking."""
    rows = Customer.objects.for_business(business).annotate(
        first_booked_at=Min("appointments__created_at")
    )
    for customer in rows.filter(first_booked_at__lt=F("created_at")):
        Customer.objects.filter(pk=customer.pk).update(created_at=customer.first_booked_at)
