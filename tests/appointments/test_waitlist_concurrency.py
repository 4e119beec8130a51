"""The waiting list with several who change it at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from appointments.models import Appointment, Hold
from appointments.waitlist import operations as waitlist
from appointments.waitlist.models import WaitlistEntry
from kaivox.errors import PreconditionFailed
from tests import factories
from tests.appointments.faults import at_statement
from webhooks.models import Event


def join(business, service, day) -> WaitlistEntry:
    return waitlist.join_waitlist(
        business=business,
        customer=factories.make_customer(business),
        service=service,
        date_from=day,
        now=timezone.now(),
    )


@pytest.fixture
def wanted(business):
    """A service that takes the whole day of its only member of staff, and a day next week."""
    service = factories.make_service(business, duration_minutes=480)
    factories.make_staff(business, services=[service])
    return service, timezone.now().astimezone(business.zone).date() + timedelta(days=7)


class TestLeave:
    def test_compares_the_version_under_its_lock(self, business, wanted):
        seen = join(business, *wanted)

        def change():
            WaitlistEntry.objects.update(updated_at=seen.updated_at + timedelta(seconds=1))

        with (
            at_statement('UPDATE "appointments_hold"', before=change),
            pytest.raises(PreconditionFailed),
        ):
            waitlist.leave_waitlist(
                business=business, entry_id=seen.pk, now=timezone.now(), expected=seen.updated_at
            )
        assert WaitlistEntry.objects.get().status == "waiting"


@pytest.mark.django_db(transaction=True)
class TestOffer:
    def test_two_runs_and_a_booking_give_one_time_once(self, business, wanted):
        """A time that becomes free is offered or booked once, however many look for it."""
        for _ in range(6):
            join(business, *wanted)
        barrier = threading.Barrier(4)

        def run(_: int) -> int:
            try:
                barrier.wait()
                return waitlist.offer_free_times(now=timezone.now())
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(run, range(4)))
        assert sum(made) == 1
        assert Hold.objects.count() == 1
        assert WaitlistEntry.objects.filter(status="offered").count() == 1
        assert Event.objects.filter(type="waitlist.offered").count() == 1
        assert not Appointment.objects.exists()
