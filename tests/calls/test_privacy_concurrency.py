"""A person is erased while others book, move or cancel for them."""

from __future__ import annotations

import pytest
from django.conf import settings

from appointments import operations
from appointments.models import Appointment, Hold
from appointments.waitlist.operations import join_waitlist, offer_free_times
from calls import operations as calls
from calls import privacy
from calls.call_report import CallReport
from customers.models import Customer
from tests import factories
from tests.appointments.test_concurrency import NOW, START, clinic
from tests.appointments.test_lock_order import meanwhile
from tests.calls.test_privacy import find_traces

__all__ = ["clinic"]

pytestmark = pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has one writer at a time")


@pytest.fixture
def person(clinic):
    customer = clinic[3][0]
    customer.name = "Zebedee Moss"
    customer.save()
    return customer


def erase(person):
    return lambda: privacy.erase_customer(business=person.business, customer_id=person.pk, now=NOW)


def pausing_in(monkeypatch, target, operation):
    """`operation`, which pauses before it calls the function `target` of its module."""

    def run(pause) -> None:
        owner, _, name = target.rpartition(".")
        place = getattr(operations, owner) if owner else operations
        plain = getattr(place, name)

        def paused(*arguments, **values):
            pause()
            return plain(*arguments, **values)

        monkeypatch.setattr(place, name, paused)
        operation()

    return run


class TestEraseCustomer:
    def test_finds_what_is_booked_while_it_waits(self, clinic, person, monkeypatch):
        business, service, _, _ = clinic

        def book() -> None:
            operations.book_appointment(
                business=business,
                customer=person,
                service=service,
                start=START,
                notes="Zebedee is shy.",
                now=NOW,
            )

        booking = pausing_in(monkeypatch, "events.emit_booked", book)
        assert meanwhile(booking, erase(person)) == ("done", "done")
        assert Customer.objects.get(pk=person.pk).is_erased
        assert Appointment.objects.count() == 1
        assert find_traces() == {}

    def test_waits_for_a_cancellation_that_waits_for_nothing(self, clinic, person, monkeypatch):
        business, service, people, _ = clinic
        appointment = factories.make_appointment(
            business, service=service, staff=people[0], customer=person, start_time=START
        )

        def cancel() -> None:
            operations.cancel_appointment(
                business=business, appointment_id=appointment.pk, reason="Zebedee is ill.", now=NOW
            )

        cancelling = pausing_in(monkeypatch, "check_cancellation", cancel)
        assert meanwhile(cancelling, erase(person)) == ("done", "done")
        appointment.refresh_from_db()
        assert appointment.status == "cancelled"
        assert find_traces() == {}

    def test_waits_for_the_booking_of_an_offered_time(self, clinic, person, monkeypatch):
        business, service, _, _ = clinic
        entry = join_waitlist(
            business=business, customer=person, service=service, date_from=START.date(), now=NOW
        )
        assert offer_free_times(now=NOW) == 1
        hold = Hold.objects.get(waitlist_entry=entry)

        def book() -> None:
            operations.book_appointment(
                business=business,
                customer=person,
                service=service,
                start=hold.start_time,
                hold=hold,
                now=NOW,
            )

        booking = pausing_in(monkeypatch, "refresh_booking_stats", book)
        assert meanwhile(booking, erase(person)) == ("done", "done")
        entry.refresh_from_db()
        assert entry.status == "booked"
        assert find_traces() == {}

    def test_waits_for_the_call_of_a_known_caller(self, clinic, person, monkeypatch):
        report = CallReport(
            provider_call_id="z-1",
            status="completed",
            direction="inbound",
            from_number=person.phone,
            sentiment="positive",
        )

        def ingest(pause) -> None:
            linked = calls.link_awaited

            def paused(call) -> None:
                pause()
                linked(call)

            monkeypatch.setattr(calls, "link_awaited", paused)
            calls.ingest_call(business=person.business, provider="kaivox", report=report, now=NOW)

        assert meanwhile(ingest, erase(person)) == ("done", "done")
        assert find_traces() == {}
