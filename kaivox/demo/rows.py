"""The rows of one demo business while it is seeded, and who books them when."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from appointments.resources.models import Resource
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.demo.appointments import Plan
from kaivox.demo.calls import DAYS as CALL_DAYS
from services.models import Service
from staff.models import StaffMember

SOURCES: Final = ("voice", "voice", "voice", "website", "walk_in")
# The last customers, who never book.
_WITHOUT_BOOKING: Final = 18


@dataclass
class Made:
    """The rows of one business, by their names in the catalogue; the resources smallest first."""

    business: Business
    services: dict[str, Service]
    staff: dict[str, StaffMember]
    resources: Sequence[Resource]
    customers: list[Customer]

    def performer(self, plan: Plan) -> StaffMember | None:
        """Who performs `plan`; None where its service needs no staff."""
        return self.staff[plan.staff.name] if plan.service.needs_staff else None

    @property
    def regulars(self) -> list[Customer]:
        return self.customers[:-_WITHOUT_BOOKING]

    @property
    def waiting(self) -> Customer:
        """Who waits for a class that is full: the first of those who have no booking."""
        return self.customers[-_WITHOUT_BOOKING]


def regulars_of(made: Made) -> Callable[[random.Random], Customer]:
    """Picks customers: few of them often, most rarely, the last ones never."""
    people = made.regulars
    weights = [1 / (rank + 4) for rank in range(len(people))]
    return lambda chance: chance.choices(people, weights)[0]


def booked_at(business: Business, chance: random.Random, now: datetime) -> datetime:
    """Bookings are made on different days, during opening hours of the phone."""
    day = now.astimezone(business.zone).date() - timedelta(days=chance.randint(1, CALL_DAYS - 1))
    clock = time(chance.randint(8, 19), chance.randint(5, 59))
    return datetime.combine(day, clock, tzinfo=business.zone)
