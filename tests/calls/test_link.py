"""A booking made in a call links both ways."""

from __future__ import annotations

import pytest

from calls.models import Call
from tests.factories import make_call, make_customer, make_service, make_staff

URL = "/api/v1/appointments"


@pytest.fixture
def booking(client, business):
    service = make_service(business)
    make_staff(business, services=[service])
    customer = make_customer(business)
    slots = client.get(f"{URL}/slots", {"service_id": service.pk}).json()
    start = (slots["data"] or [slots["meta"]["next_available"]])[0]["start_time"]
    return {"customer_id": customer.pk, "service_id": service.pk, "start_time": start}


class TestBookingInACall:
    def test_links_both_ways(self, client, business, booking):
        call = make_call(business, status="in_progress")
        data = client.post(URL, {**booking, "call_id": call.pk}).json()["data"]
        assert data["call_id"] == call.pk
        shown = client.get(f"/api/v1/calls/{call.pk}").json()["data"]
        assert (shown["appointment_id"], shown["outcome"]) == (data["id"], "booked")
        assert shown["customer_id"] == booking["customer_id"]

    def test_keeps_the_customer_of_the_call(self, client, business, booking):
        caller = make_customer(business)
        call = make_call(business, status="in_progress", customer=caller)
        client.post(URL, {**booking, "call_id": call.pk})
        call.refresh_from_db()
        assert (call.customer_id, call.outcome) == (caller.pk, "booked")

    def test_refuses_the_call_of_another_business(self, client, other_business, booking):
        call = make_call(other_business)
        response = client.post(URL, {**booking, "call_id": call.pk})
        assert response.status_code == 422
        assert "call_id" in response.json()["errors"]
        assert Call.objects.get().appointment_id is None
