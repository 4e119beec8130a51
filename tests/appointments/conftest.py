"""Fixtures: a clinic in Kolkata on Monday, 2 March 2026, at 06:00 local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import time_machine

from appointments.models import Appointment
from customers.models import Customer
from kaivox.businesses.models import Business
from services.models import Service
from staff.models import StaffMember
from tests import factories
from tests.appointments.without_staff import OPEN, URL
from webhooks.models import Event

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)


@dataclass
class Clinic:
    business: Business
    service: Service
    staff: StaffMember
    customer: Customer

    def booking(self, clock: str = "10:00", day: str = "2026-03-02", **more) -> dict:
        """The body of a booking."""
        return {
            "customer_id": self.customer.pk,
            "service_id": self.service.pk,
            "appointment_date": day,
            "appointment_time": clock,
            **more,
        }

    def slots(self, **query) -> dict:
        return {"service_id": self.service.pk, "date": "2026-03-02", **query}


@pytest.fixture
def frozen():
    """The clock does not advance; `shift` and `move_to` set it."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def clinic(frozen, business) -> Clinic:
    """One dentist who works from 09:00 to 17:00 every day, one service of 30 minutes."""
    service = factories.make_service(business, name="Cleaning")
    staff = factories.make_staff(business, services=[service], name="Dr. Meera Nair")
    customer = factories.make_customer(business, name="Asha Rao")
    return Clinic(business, service, staff, customer)


@pytest.fixture
def bistro(clinic) -> Clinic:
    """The clinic with a service that needs a table and no staff, open from 12:00 to 15:00."""
    clinic.dentistry = clinic.service
    clinic.service = factories.make_service(
        clinic.business, name="Table", needs_staff=False, resource_kinds=["table"]
    )
    return clinic


@pytest.fixture
def tables(bistro) -> dict[str, int]:
    sizes = {"six": 6, "four": 4, "two": 2}
    return {
        name: factories.make_resource(bistro.business, name=name, capacity=size, hours=OPEN).pk
        for name, size in sizes.items()
    }


@pytest.fixture
def book(client, bistro):
    def post(clock: str = "12:00", **more):
        return client.post(URL, bistro.booking(clock, **more))

    return post


def times(response) -> list[str]:
    """The local times of the slots in a response."""
    assert response.status_code == 200, response.json()
    return [slot["time"] for slot in response.json()["data"]]


def event_types() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("type", flat=True))


def overlaps() -> int:
    """Pairs of appointments, not cancelled, of one person whose blocked ranges overlap; by plain SQL."""
    rows = Appointment.objects.raw(
        """
        SELECT a.id FROM appointments_appointment a JOIN appointments_appointment b
        ON a.staff_id = b.staff_id AND a.id < b.id
        AND a.busy_start < b.busy_end AND b.busy_start < a.busy_end
        WHERE a.status <> 'cancelled' AND b.status <> 'cancelled'
        """
    )
    return len(list(rows))
