"""A booking made in a call links both ways; a call knows what was moved or cancelled in it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from calls.models import Call
from calls.operations import ingest_call
from calls.report import CallReport
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


@pytest.fixture
def appointment(client, booking):
    return client.post(URL, booking).json()["data"]


@pytest.fixture
def other_time(client, booking, appointment):
    slots = client.get(f"{URL}/slots", {"service_id": booking["service_id"]}).json()
    return (slots["data"] or [slots["meta"]["next_available"]])[0]["start_time"]


def _told(call):
    call.refresh_from_db()
    return call.appointment_id, call.outcome


class TestChangeInACall:
    def test_a_move(self, client, business, appointment, other_time):
        call = make_call(business, status="in_progress", outcome="")
        body = {"start_time": other_time, "call_id": call.pk}
        moved = client.patch(f"{URL}/{appointment['id']}", body).json()["data"]
        assert (moved["start_time"], moved["call_id"]) == (other_time, None)
        assert _told(call) == (appointment["id"], "rescheduled")
        assert call.customer_id == appointment["customer_id"]

    @pytest.mark.parametrize("by", ("patch", "delete"))
    def test_a_cancellation(self, client, business, appointment, by):
        call, url = make_call(business, outcome=""), f"{URL}/{appointment['id']}"
        if by == "patch":
            response = client.patch(url, {"status": "cancelled", "call_id": call.pk})
        else:
            response = client.delete(f"{url}?call_id={call.pk}&reason=ill")
        assert response.json()["data"]["status"] == "cancelled"
        assert _told(call) == (appointment["id"], "cancelled")

    def test_a_booking_stays_the_outcome(self, client, business, booking, appointment, other_time):
        call = make_call(business, outcome="")
        new = client.post(URL, {**booking, "start_time": other_time, "call_id": call.pk}).json()
        client.delete(f"{URL}/{appointment['id']}?call_id={call.pk}")
        assert _told(call) == (new["data"]["id"], "booked")

    def test_to_cancel_again_tells_nothing(self, client, business, appointment):
        client.delete(f"{URL}/{appointment['id']}")
        call = make_call(business, outcome="")
        assert client.delete(f"{URL}/{appointment['id']}?call_id={call.pk}").status_code == 200
        assert _told(call) == (None, "")

    def test_what_the_provider_says_later_does_not_replace_it(self, client, business, appointment):
        call = make_call(business, status="in_progress", outcome="")
        client.delete(f"{URL}/{appointment['id']}?call_id={call.pk}")
        report = CallReport(
            provider_call_id=call.provider_call_id, status="completed", outcome="information"
        )
        ingest_call(business=business, provider=call.provider, report=report, now=timezone.now())
        assert _told(call) == (appointment["id"], "cancelled")

    def test_refuses_the_call_of_another_business(self, client, other_business, appointment):
        call, url = make_call(other_business, outcome=""), f"{URL}/{appointment['id']}"
        for response in (
            client.patch(url, {"status": "cancelled", "call_id": call.pk}),
            client.delete(f"{url}?call_id={call.pk}"),
        ):
            assert response.status_code == 422
            assert "call_id" in response.json()["errors"]
        assert client.get(url).json()["data"]["status"] == "scheduled"
        assert _told(call) == (None, "")

    @pytest.mark.parametrize("change", ({}, {"notes": "late"}, {"status": "no_show"}))
    def test_refuses_a_call_that_nothing_is_told_of(self, client, business, appointment, change):
        call = make_call(business)
        response = client.patch(f"{URL}/{appointment['id']}", {**change, "call_id": call.pk})
        assert response.status_code == 422
        assert "call_id" in response.json()["errors"]
