"""Past appointments of the demo, and what customers' records show of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Coalesce

from appointments.assignments import reserve_resources
from appointments.models import Appointment, AppointmentStatus
from appointments.resources.models import Resource
from customers.models import Customer
from customers.operations import BookingStats, update_booking_stats
from kaivox.businesses.models import Business
from kaivox.demo.appointments import Plan, Session, chance_of
from kaivox.demo.catalogue import DemoBusiness
from kaivox.demo.rows import SOURCES, Made, regulars_of

_REASONS: Final = ("Feeling unwell", "Something came up at work", "Travelling", "")


def make_history(
    demo: DemoBusiness,
    made: Made,
    plans: Sequence[Plan],
    sessions: Sequence[Session],
    lapsed: Sequence[Plan],
    now: datetime,
) -> None:
    """Past appointments, as rows: the booking rules reject times in the past."""
    chance = chance_of(demo, "history")
    regulars = regulars_of(made)
    rows = [_past_row(made, plan, regulars(chance), chance.random(), now) for plan in plans]
    once = made.customers[-len(lapsed) :]
    rows += [_past_row(made, plan, who, 0.0, now) for plan, who in zip(lapsed, once, strict=True)]
    rows += [
        _past_row(made, session.plan, who, chance.random(), now)
        for session in sessions
        for who in chance.sample(made.regulars, session.seats_booked)
    ]
    for row in rows:
        row.party_size = chance.choice(demo.parties)
    rows = _with_resources(rows, made.resources)
    Appointment.objects.bulk_create(rows)
    for row in rows:
        reserve_resources(row)
    ours = Appointment.objects.for_business(made.business)
    ours.update(created_at=F("start_time") - timedelta(days=5), updated_at=F("start_time"))
    ours.exclude(status=AppointmentStatus.SCHEDULED).update(updated_at=F("end_time"))
    _update_customers(made.business, now)


def _with_resources(
    rows: Sequence[Appointment], resources: Sequence[Resource]
) -> list[Appointment]:
    """`rows` with the resources that they had, as a booking chooses them. Where none was free, there was
    no appointment."""
    free_from: dict[int, datetime] = {}
    booked = []
    for row in sorted(rows, key=lambda row: row.busy_start):
        chosen = [
            next(
                (
                    one.pk
                    for one in resources
                    if one.kind == kind
                    and one.capacity >= row.party_size
                    and free_from.get(one.pk, row.busy_start) <= row.busy_start
                ),
                None,
            )
            for kind in row.service.resource_kinds
        ]
        row.resource_ids = [one for one in chosen if one is not None]
        if len(row.resource_ids) < len(chosen):
            continue
        booked.append(row)
        if row.status != AppointmentStatus.CANCELLED:
            free_from.update(dict.fromkeys(row.resource_ids, row.busy_end))
    return booked


def _update_customers(business: Business, now: datetime) -> None:
    done = Q(status=AppointmentStatus.COMPLETED)
    stats = (
        Appointment.objects.for_business(business)
        .values("customer_id")
        .annotate(
            total=Count("pk", filter=~Q(status=AppointmentStatus.CANCELLED)),
            spent=Coalesce(Sum("price", filter=done), Decimal(0)),
            last_visit=Max("start_time", filter=done),
            last_booked=Max("created_at"),
            last_scheduled=Max("start_time", filter=Q(status=AppointmentStatus.SCHEDULED)),
        )
        .values_list("customer_id", "total", "spent", "last_visit", "last_booked", "last_scheduled")
    )
    for customer_id, *counted in stats:
        _update_customer(customer_id, BookingStats(*counted), now)


def _update_customer(customer_id: int, activity: BookingStats, now: datetime) -> None:
    update_booking_stats(
        customer_id=customer_id,
        count=lambda: activity,
        booked=True,
        completed=activity.last_visit_at is not None,
        now=now,
    )


def _past_row(
    made: Made, plan: Plan, customer: Customer, luck: float, now: datetime
) -> Appointment:
    service = made.services[plan.service.name]
    status = (
        AppointmentStatus.COMPLETED
        if luck < 0.82
        else AppointmentStatus.NO_SHOW
        if luck < 0.89
        else AppointmentStatus.CANCELLED
    )
    if plan.end > now and status != AppointmentStatus.CANCELLED:
        status = AppointmentStatus.SCHEDULED
    return Appointment(
        business=made.business,
        customer=customer,
        service=service,
        staff=made.performer(plan),
        start_time=plan.start,
        end_time=plan.end,
        busy_start=plan.start - timedelta(minutes=service.buffer_before_minutes),
        busy_end=plan.end + timedelta(minutes=service.buffer_after_minutes),
        duration_minutes=service.duration_minutes,
        is_shared=service.is_class,
        price=service.price,
        currency=made.business.currency,
        status=status,
        source=SOURCES[int(luck * 1000) % len(SOURCES)],
        cancellation_reason=_REASONS[int(luck * 1000) % len(_REASONS)]
        if status == AppointmentStatus.CANCELLED
        else "",
    )
