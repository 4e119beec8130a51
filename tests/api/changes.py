"""Every kind of change of what lists and rows show, one function each, and a client who has read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.db import connection

from appointments import operations as appointments
from appointments.models import Appointment
from appointments.views import AppointmentViewSet
from appointments.waitlist.models import WaitlistEntry
from appointments.waitlist.views import WaitlistViewSet
from calls import privacy, retention
from calls.views import CallViewSet
from customers import operations as customers
from customers.views import CustomerViewSet
from kaivox.businesses.denormalized_names import touch_dependents
from kaivox.businesses.operations import change_business
from kaivox.db.transactions import write_transaction
from tests import factories

API = "/api/v1"
VIEWS = (AppointmentViewSet, CallViewSet, CustomerViewSet, WaitlistViewSet)


class Seen(NamedTuple):
    etag: str
    body: Any


def _seen(response: Any) -> Seen:
    assert response.status_code == 200
    body = response.json()
    del body["meta"]["request_id"]
    return Seen(response["ETag"], body)


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
        day = datetime.now(UTC).date() + timedelta(days=20)
        self.waiting = WaitlistEntry.objects.create(
            business=self.business,
            customer=self.appointment.customer,
            service=self.appointment.service,
            date_from=day,
            date_to=day,
        )
        self.lists = [
            f"{API}/appointments?per_page=1",
            f"{API}/appointments?per_page=1&status=scheduled",
            f"{API}/appointments?per_page=1&page=2&ordering=-updated_at",
            f"{API}/appointments?cursor=&per_page=1&date_to=2026-01-05",
            f"{API}/calls?per_page=1&search=hello",
            f"{API}/customers?per_page=1",
            f"{API}/waitlist?per_page=2",
        ]
        self.paths = [
            *self.lists,
            f"{API}/appointments/{self.past.pk}",
            f"{API}/calls/{self.call.pk}",
            f"{API}/customers/{self.appointment.customer_id}",
        ]

    def read(self, path: str, etag: str = "") -> Any:
        return self.client.get(path, headers={"If-None-Match": etag} if etag else {})

    def see(self, path: str) -> Seen:
        return _seen(self.read(path))

    def truth(self, path: str) -> Any:
        """The body, with nothing cached."""
        with pytest.MonkeyPatch.context() as patch:
            for view in VIEWS:
                patch.setattr(view, "version_models", ())
            return self.see(path).body

    def check(self) -> None:
        """A 304 is sent only where nothing has changed, and every body is the true one."""
        for path, seen in list(self.seen.items()):
            response = self.read(path, seen.etag)
            if response.status_code == 304:
                assert seen.body == self.truth(path), path
                continue
            now = _seen(response)
            assert now.body == self.truth(path), path
            assert self.read(path, now.etag).status_code == 304, path
            self.seen[path] = now

    def learn(self) -> None:
        self.seen = {path: self.see(path) for path in self.paths}

    def patch(self, path: str, **body: Any) -> None:
        self.client.patch(f"{API}/{path}", body)

    def rename(self, row: Any) -> None:
        """As the admin does."""
        row.refresh_from_db()
        row.name += " II"
        with write_transaction():
            row.save()
            touch_dependents(row)


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
    appointments.update_details(
        business=world.business,
        appointment_id=world.past.pk,
        changes={"metadata": {"seen": str(datetime.now(UTC))}},
    )


def edit_by_sql(world: World) -> None:
    """Without `updated_at`."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE appointments_appointment SET notes = notes || '?'")


def delete_by_sql(world: World) -> None:
    """The newest one is replaced by another, so neither the number of rows nor the newest change
    of the rest says so."""
    newest = factories.make_appointment(
        world.business,
        service=world.appointment.service,
        start_time=datetime(2028, 1, 1, tzinfo=UTC) + timedelta(days=Appointment.objects.count()),
    )
    world.check()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM appointments_appointment WHERE id = %s", [newest.pk])


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


def wait(world: World) -> None:
    day = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    body = {
        "customer_id": factories.make_customer(world.business).pk,
        "service_id": world.appointment.service_id,
        "date_from": day,
        "date_to": day,
    }
    assert world.client.post(f"{API}/waitlist", body).status_code == 201


def stop_waiting(world: World) -> None:
    assert world.client.delete(f"{API}/waitlist/{world.waiting.pk}").status_code == 200


CHANGES: tuple[Callable[[World], None], ...] = (
    cancel,
    book,
    book_by_api,
    complete,
    did_not_come,
    move,
    note,
    edit_in_bulk,
    describe,
    edit_by_sql,
    delete_by_sql,
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
    wait,
    stop_waiting,
)
