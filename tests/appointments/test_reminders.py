"""`appointment.reminder_due`: when it is recorded, and that it is recorded once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appointments import events, reminders
from appointments.models import Appointment
from customers.operations import erase_customer
from kaivox.businesses.models import Business
from tests import factories
from tests.appointments.conftest import NOW, event_types
from webhooks.models import Event

URL = "/api/v1/appointments"


@pytest.fixture
def reminded(clinic) -> Business:
    """The clinic, whose reminders are due a day before."""
    Business.objects.update(reminder_hours=24)
    clinic.business.refresh_from_db()
    return clinic.business


@pytest.fixture
def make(clinic):
    def make(hours: float, **values) -> Appointment:
        start = NOW + timedelta(hours=hours)
        values = {"service": clinic.service, "staff": clinic.staff, **values}
        return factories.make_appointment(start_time=start, **values)

    return make


def due() -> list[int]:
    """Runs once; the ids of the appointments in the events that it recorded."""
    known = list(Event.objects.values_list("pk", flat=True))
    reminders.record_due_reminders(now=timezone.now())
    rows = Event.objects.exclude(pk__in=known).order_by("pk")
    assert {row.type for row in rows} <= {"appointment.reminder_due"}
    return [json.loads(bytes(row.body))["data"]["id"] for row in rows]


class TestDue:
    def test_is_what_begins_soon(self, reminded, make):
        make(0)
        make(-1)
        make(24.6)
        first, last = make(1), make(24)
        for hours, status in ((2, "cancelled"), (3, "completed"), (4, "no_show")):
            make(hours, status=status)
        assert due() == [first.pk, last.pk]
        assert due() == []

    @pytest.mark.parametrize("values", ({"reminder_hours": None}, {"suspended_at": NOW}))
    def test_is_nothing_where_off_or_suspended(self, reminded, make, values):
        make(1)
        Business.objects.update(**values)
        assert due() == []

    def test_is_each_businesss_own(self, reminded, make, other_business):
        mine = make(1)
        factories.make_appointment(other_business, start_time=NOW + timedelta(hours=1))
        assert due() == [mine.pk]
        assert Event.objects.get().business == reminded

    def test_has_no_erased_customer(self, reminded, make):
        appointment = make(1)
        erase_customer(business=reminded, customer_id=appointment.customer_id, now=NOW)
        Event.objects.all().delete()
        assert due() == []

    def test_shows_the_appointment_and_changes_nothing_shown(self, client, reminded, make):
        appointment = make(1)
        before = client.get(f"{URL}/{appointment.pk}")
        due()
        after = client.get(f"{URL}/{appointment.pk}")
        assert (after["ETag"], after.json()["data"]) == (before["ETag"], before.json()["data"])
        assert json.loads(bytes(Event.objects.get().body))["data"] == after.json()["data"]

    def test_comes_again_for_another_time_only(self, client, clinic, reminded, make, frozen):
        appointment = make(4)
        url = f"{URL}/{appointment.pk}"
        assert due() == [appointment.pk]
        other = factories.make_staff(clinic.business, services=[clinic.service])
        client.patch(url, {"staff_id": other.pk, "notes": "x"})
        client.patch(url, {"confirmation": "confirmed"})
        assert due() == []
        client.patch(url, {"start_time": "2026-03-03T06:30:00Z"})
        assert due() == []
        frozen.shift(timedelta(hours=6))
        assert due() == [appointment.pk]
        # Back to the former time is another time than the one reminded of last.
        frozen.shift(timedelta(hours=-6))
        client.patch(url, {"start_time": "2026-03-02T05:30:00Z"})
        assert due() == [appointment.pk]


class TestRuns:
    def test_take_a_batch_of_each_business(self, reminded, make, monkeypatch):
        monkeypatch.setattr(reminders, "BATCH_SIZE", 2)
        rows = [make(hours).pk for hours in (3, 1, 2)]
        assert due() == [rows[1], rows[2]]
        assert due() == [rows[0]]

    def test_cost_one_query_where_no_business_has_reminders(self, clinic, make):
        make(1)
        with CaptureQueriesContext(connection) as queries:
            reminders.record_due_reminders(now=timezone.now())
        assert len([one for one in queries if "businesses_business" in one["sql"]]) == 1
        assert not [one for one in queries if "appointments_appointment" in one["sql"]]

    def test_a_failure_stops_only_its_own_business(
        self, reminded, make, other_business, monkeypatch, caplog
    ):
        """Its transaction is rolled back, so that the next run records the reminder."""
        make(1)
        Business.objects.filter(pk=other_business.pk).update(reminder_hours=24)
        factories.make_appointment(other_business, start_time=NOW + timedelta(hours=1))
        emit = events.emit_reminder_due

        def fail_for_one(appointment, *, now):
            if appointment.business_id == reminded.pk:
                raise RuntimeError
            emit(appointment, now=now)

        with monkeypatch.context() as patched:
            patched.setattr(events, "emit_reminder_due", fail_for_one)
            assert reminders.record_due_reminders(now=timezone.now()) == 1
        assert f"Reminders of {reminded} cannot be recorded" in caplog.text
        assert len(due()) == 1


@pytest.mark.django_db(transaction=True)
def test_runs_at_once_record_each_reminder_once():
    business = factories.make_business(reminder_hours=24)
    service = factories.make_service(business)
    now = timezone.now()
    for number in range(6):
        factories.make_appointment(service=service, start_time=now + timedelta(hours=number + 1))
    barrier = threading.Barrier(4)

    def run(_) -> int:
        barrier.wait()
        try:
            return reminders.record_due_reminders(now=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        recorded = sum(pool.map(run, range(4)))
    recorded += reminders.record_due_reminders(now=now)
    assert recorded == 6
    assert event_types() == ["appointment.reminder_due"] * 6
