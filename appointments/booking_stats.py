"""Refreshes a customer's appointment statistics after one of their appointments changed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet, Sum

from appointments.models import Appointment, AppointmentStatus
from customers.models import Customer
from customers.operations import BookingStats, update_booking_stats
from kaivox.db.compiled_query import CompiledQuery


def refresh_booking_stats(
    appointment: Appointment, *, now: datetime, booked: bool = False, completed: bool = False
) -> Customer:
    """Locks the appointment's customer and counts their appointments again; returns the customer.

    Called in the transaction of the change. `booked` and `completed` say what the change was.
    """

    def count() -> BookingStats:
        total, spent, last_visit, last_booked, last_scheduled = _BOOKING_STATS.first(
            business_id=appointment.business_id, customer_id=appointment.customer_id
        )
        return BookingStats(total, spent or Decimal(0), last_visit, last_booked, last_scheduled)

    return update_booking_stats(
        customer_id=appointment.customer_id,
        count=count,
        booked=booked,
        completed=completed,
        now=now,
    )


def _booking_stats(business_id: int, customer_id: int) -> QuerySet[Any]:
    """(number not cancelled, amount spent, last visit, last booking) of a customer."""
    completed = Q(status=AppointmentStatus.COMPLETED)
    rows = Appointment.objects.for_business(business_id).filter(customer=customer_id)
    return (
        rows.values("customer")
        .annotate(
            total=Count("pk", filter=~Q(status=AppointmentStatus.CANCELLED)),
            spent=Sum("price", filter=completed),
            last_visit=Max("start_time", filter=completed),
            last_booked=Max("created_at"),
            last_scheduled=Max("start_time", filter=Q(status=AppointmentStatus.SCHEDULED)),
        )
        .values_list("total", "spent", "last_visit", "last_booked", "last_scheduled")
    )


_BOOKING_STATS: Final = CompiledQuery(_booking_stats)
