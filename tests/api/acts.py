"""All that can change what lists and rows show, one function each, and who watches what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appointments import operations as appointments
from appointments.models import Appointment
from appointments.views import AppointmentViewSet
from calls import privacy, retention
from calls.views import CallViewSet
from customers import operations as customers
from customers.views import CustomerViewSet
from kaivox.businesses.names import renamed
from kaivox.businesses.operations import change_business
from kaivox.businesses.write_lock import write_transaction
from tests import factories

API = "/api/v1"
VIEWS = (AppointmentViewSet, CallViewSet, CustomerViewSet)


@dataclass
class World:
    """One of each, and a client who has seen it."""

    client: Any
    business: Any

    def __post_init__(self) -> None:
        self.appointment = factories.make_appointment(self.business, source="web")
        self.past = factories.make_appointment(
            self.business,
            staff=self.appointment.staff,
            service=self.appointment.service,
            customer=self.appointment.customer,
            start_time=datetime(2026, 1, 5, 10, tzinfo=UTC),
            notes="fine",
        )
        self.call = factories.make_call(
            self.business,
            customer=self.appointment.customer,
            transcript=[("caller", "hello")],
            started_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
        )
        self.lists = [
            f"{API}/appointments?per_page=1",
            f"{API}/appointments?per_page=1&status=scheduled",
            f"{API}/appointments?per_page=1&page=2&ordering=-updated_at",
            f"{API}/appointments?cursor=&per_page=1&date_to=2026-01-05",
            f"{API}/calls?per_page=1&search=hello",
            f"{API}/customers?per_page=1",
        ]
        self.paths = [
            *self.lists,
            f"{API}/appointments/{self.past.pk}",
            f"{API}/calls/{self.call.pk}",
            f"{API}/customers/{self.appointment.customer_id}",
        ]

    def told(self, path: str, tag: str = "") -> tuple[int, str, int | None]:
        """Status, tag and total."""
        response = self.client.get(path, headers={"If-None-Match": tag} if tag else {})
        total = response.json()["meta"].get("total") if response.content else None
        return response.status_code, response["ETag"], total

    def truth(self, path: str) -> tuple[str, int | None]:
        """Tag and total, with nothing remembered."""
        with pytest.MonkeyPatch.context() as patch:
            for view in VIEWS:
                patch.setattr(view, "shown_from", ())
            return self.told(path)[1:]

    def check(self) -> None:
        """Every answer is the true one, whatever was remembered; and is remembered by then."""
        for path, seen in list(self.seen.items()):
            tag, total = self.truth(path)
            assert self.told(path, seen)[:2] == (304 if tag == seen else 200, tag), path
            assert self.told(path) == (200, tag, total), path
            self.seen[path] = tag

    def learn(self) -> None:
        self.seen = {path: self.told(path)[1] for path in self.paths}
        for path, tag in self.seen.items():
            assert self.told(path, tag)[0] == 304

    def patch(self, path: str, **body: Any) -> None:
        self.client.patch(f"{API}/{path}", body)

    def rename(self, row: Any) -> None:
        """As the admin does."""
        row.refresh_from_db()
        row.name += " II"
        with write_transaction():
            row.save()
            renamed(row)


def cancel(world: World) -> None:
    world.client.delete(f"{API}/appointments/{world.appointment.pk}?reason=ill")


def book(world: World) -> None:
    factories.make_appointment(
        world.business,
        service=world.appointment.service,
        start_time=datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=Appointment.objects.count()),
    )


def book_by_api(world: World) -> None:
    body = {
        "customer_id": world.appointment.customer_id,
        "service_id": world.appointment.service_id,
        "start_time": f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT05:30:00Z}",
    }
    world.client.post(f"{API}/appointments", body)


def complete(world: World) -> None:
    world.patch(f"appointments/{world.past.pk}", status="completed")


def did_not_come(world: World) -> None:
    world.patch(f"appointments/{world.past.pk}/status", status="no_show")


def move(world: World) -> None:
    world.patch(
        f"appointments/{world.appointment.pk}",
        start_time=f"{datetime.now(UTC) + timedelta(days=4):%Y-%m-%dT06:30:00Z}",
    )


def note(world: World) -> None:
    world.past.refresh_from_db()
    world.patch(f"appointments/{world.past.pk}", notes=f"{world.past.notes}!")


def edit_in_bulk(world: World) -> None:
    Appointment.objects.filter(pk=world.past.pk).update(source="import")


def describe(world: World) -> None:
    appointments.edit_appointment(
        business=world.business,
        appointment_id=world.past.pk,
        changes={"metadata": {"seen": str(datetime.now(UTC))}},
    )


def new_customer(world: World) -> None:
    world.client.post(f"{API}/customers", {"name": "New", "email": "new@example.com"})


def rename_customer(world: World) -> None:
    world.rename(world.appointment.customer)


def rename_customer_quietly(world: World) -> None:
    """As when a writer elsewhere holds the rows that show the name: they are left out."""
    customer = world.appointment.customer
    customer.refresh_from_db()
    customer.name += "?"
    customer.save()


def rename_staff(world: World) -> None:
    world.rename(world.appointment.staff)


def rename_service(world: World) -> None:
    world.rename(world.appointment.service)


def change_segment(world: World) -> None:
    world.patch(f"customers/{world.appointment.customer_id}", segment="vip")


def refresh_segments(world: World) -> None:
    customers.refresh_segments(now=datetime.now(UTC))


def erase(world: World) -> None:
    privacy.erase_customer(
        business=world.business, customer_id=world.appointment.customer_id, now=datetime.now(UTC)
    )


def new_call(world: World) -> None:
    factories.make_call(world.business, transcript=[("caller", "hello again")])


def forget_transcripts(world: World) -> None:
    change_business(
        business_id=world.business.pk, transcript_retention_days=1, now=datetime.now(UTC)
    )
    retention.forget_old_transcripts(now=datetime.now(UTC))


def move_away(world: World) -> None:
    world.business.refresh_from_db()
    there = "Europe/London" if world.business.timezone == "Asia/Kolkata" else "Asia/Kolkata"
    change_business(business_id=world.business.pk, timezone=there, now=datetime.now(UTC))


ACTS: tuple[Callable[[World], None], ...] = (
    cancel,
    book,
    book_by_api,
    complete,
    did_not_come,
    move,
    note,
    edit_in_bulk,
    describe,
    new_customer,
    rename_customer,
    rename_customer_quietly,
    rename_staff,
    rename_service,
    change_segment,
    refresh_segments,
    erase,
    new_call,
    forget_transcripts,
    move_away,
)
