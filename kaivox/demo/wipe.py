"""Deletes the data of a sandbox, in an order that no foreign key forbids."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Model, Q

from appointments.groups.models import AppointmentSeries, Visit
from appointments.models import Appointment, Hold, ResourceBooking
from appointments.resources.models import Resource
from appointments.waitlist.models import WaitlistEntry
from calls.models import AwaitedLink, Call, ProviderMessage, ToolCall
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.idempotency.models import IdempotencyRecord
from kaivox.request_log.models import RequestLogEntry
from ratelimits.models import DailyUsage
from services.models import Service
from staff.models import (
    Break,
    BusyCalendar,
    CalendarBusyTime,
    CalendarFeed,
    Closure,
    DateOverride,
    StaffMember,
    TimeOff,
    WorkingHours,
)
from webhooks.models import Attempt, Delivery, Endpoint, Event

# API keys, members, endpoints, voice accounts and the audit are not deleted.
WIPED: Final[tuple[type[Model], ...]] = (
    ToolCall, ProviderMessage, Call, AwaitedLink, Hold, WaitlistEntry, ResourceBooking, Appointment, AppointmentSeries,
    Visit, Customer, Resource, Closure, CalendarFeed, CalendarBusyTime, BusyCalendar, TimeOff, DateOverride, Break,
    WorkingHours,
    StaffMember, Service,
    Attempt, Delivery, Event, IdempotencyRecord, DailyUsage, RequestLogEntry,
)  # fmt: skip


def wipe_sandbox(*, business: Business, now: datetime) -> None:
    """Deletes the rows of WIPED of `business`, and the demo's endpoints, which a new seed adds
    again."""
    for model in WIPED:
        model._base_manager.filter(business=business).delete()
    made_by_seed = Endpoint.objects.for_business(business).filter(
        created_by=None, created_by_key=None, is_active=False
    )
    working = Q(url__startswith="https://hooks.", url__endswith=".example/kaivox")
    failing = Q(url__startswith="https://crm.", url__endswith=".example/webhooks/calls")
    made_by_seed.filter(working | failing).delete()
