"""Two callers for one slot, and one tool call sent twice, at the same moment."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment, Hold
from customers.models import Customer
from tests import factories
from tests.agents.ways import Mcp, Retell, Vapi
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clinic():
    business = factories.make_business(slug="smile")
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, name="Dr. Anil Sharma", services=[service])
    return business


def at_once(jobs):
    """The results of `jobs`, which begin together in threads of their own."""
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait()
        try:
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


class TestAtOnce:
    @pytest.mark.parametrize("way", (Mcp, Vapi, Retell), ids=lambda way: way.name)
    def test_one_of_two_callers_gets_the_slot(self, clinic, way):
        lines = [way(clinic, phone=f"+9190000{number:05}") for number in range(4)]
        results = at_once(
            [
                lambda line=line: line.call(
                    "book", service="Cleaning", start="tomorrow 10:00", name="Asha"
                )
                for line in lines
            ]
        )
        statuses = sorted(result["status"] for result in results)
        assert statuses == ["ok"] + ["slot_unavailable"] * 3
        assert Appointment.objects.count() == 1
        assert Customer.objects.count() == 1

    @pytest.mark.parametrize("way", (Mcp, Vapi, Retell), ids=lambda way: way.name)
    @pytest.mark.parametrize("tool", ("book", "hold_time"))
    def test_a_tool_call_sent_twice_runs_once(self, clinic, way, tool):
        line = way(clinic, phone="+919876543210")
        arguments = {"service": "Cleaning", "start": "tomorrow 10:00", "name": "Asha"}
        results = at_once([lambda: line.send(tool, arguments, "tc-1")] * 3)
        assert results[0]["status"] == "ok", results
        assert results == [results[0]] * 3
        assert Appointment.objects.count() + Hold.objects.count() == 1


class TestLockOrder:
    """Staff member, then customer, as in every booking: two for one person never deadlock."""

    def test_a_caller_known_by_number_alone_is_named_after_the_booking(self, clinic):
        customer = factories.make_customer(
            clinic, name="Caller +919876543210", phone="+919876543210"
        )
        line = Mcp(clinic, phone=customer.phone)
        with CaptureQueriesContext(connection) as queries:
            result = line.call("book", service="Cleaning", start="tomorrow 10:00", name="Asha Rao")
        assert result["status"] == "ok"
        changed = [
            number
            for number, query in enumerate(queries.captured_queries)
            if 'UPDATE "customers_customer"' in query["sql"]
            or ("customers_customer" in query["sql"] and "FOR NO KEY UPDATE" in query["sql"])
        ]
        [booked] = [
            number
            for number, query in enumerate(queries.captured_queries)
            if query["sql"].startswith('INSERT INTO "appointments_appointment"')
        ]
        assert changed
        assert min(changed) > booked
        customer.refresh_from_db()
        assert customer.name == "Asha Rao"
        event = Event.objects.get(type="appointment.booked")
        assert json.loads(bytes(event.body))["data"]["customer_name"] == "Asha Rao"
