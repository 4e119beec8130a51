"""A booking made in a call links both ways; a call knows what was moved or cancelled in it."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from appointments.call_links import notify_call
from appointments.models import Appointment
from appointments.operations import cancel_appointment
from calls.call_report import CallReport
from calls.links import forget_awaited_links
from calls.models import AwaitedLink, Call
from calls.operations import ingest_call
from kaivox.db.transactions import write_transaction
from tests.appointments.faults import at_statement
from tests.factories import (
    make_appointment,
    make_business,
    make_call,
    make_customer,
    make_service,
    make_staff,
)
from webhooks.models import Event

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

    def test_rejects_the_call_of_another_business(self, client, other_business, booking):
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

    def test_to_cancel_again_emits_nothing(self, client, business, appointment):
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

    def test_rejects_the_call_of_another_business(self, client, other_business, appointment):
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
    def test_rejects_a_call_without_a_change(self, client, business, appointment, change):
        call = make_call(business)
        response = client.patch(f"{URL}/{appointment['id']}", {**change, "call_id": call.pk})
        assert response.status_code == 422
        assert "call_id" in response.json()["errors"]


REPORT = CallReport(provider_call_id="CA-77", status="completed", outcome="information")


def arrive(business, report=REPORT) -> Call:
    call = ingest_call(business=business, provider="twilio", report=report, now=timezone.now())
    call.refresh_from_db()
    return call


def run_in_parallel(*acts):
    """Runs `acts` in a thread and a connection each."""

    def run(act):
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        list(pool.map(run, acts))


class TestByTheProvidersId:
    def test_a_booking_before_the_call_arrives(self, client, business, booking):
        data = client.post(URL, {**booking, "provider_call_id": "CA-77"}).json()["data"]
        assert data["call_id"] is None
        call = arrive(business)
        assert (call.appointment_id, call.outcome) == (data["id"], "booked")
        assert call.customer_id == booking["customer_id"]
        assert client.get(f"{URL}/{data['id']}").json()["data"]["call_id"] == call.pk
        [event] = Event.objects.filter(type="call.completed")
        data_of_event = json.loads(bytes(event.body))["data"]
        assert (data_of_event["appointment_id"], data_of_event["outcome"]) == (data["id"], "booked")
        assert not AwaitedLink.objects.exists()

    def test_a_booking_after_the_call_arrived(self, client, business, booking):
        call = arrive(business)
        data = client.post(URL, {**booking, "provider_call_id": "CA-77"}).json()["data"]
        assert data["call_id"] == call.pk
        assert _told(call) == (data["id"], "booked")
        [event] = Event.objects.filter(type="appointment.booked")
        assert json.loads(bytes(event.body))["data"]["call_id"] == call.pk

    @pytest.mark.parametrize("first", (True, False))
    def test_a_move(self, client, business, appointment, other_time, first):
        body = {"start_time": other_time, "provider_call_id": "CA-77"}
        if first:
            arrive(business)
        moved = client.patch(f"{URL}/{appointment['id']}", body).json()["data"]
        call = arrive(business)
        assert (moved["start_time"], moved["call_id"]) == (other_time, None)
        assert _told(call) == (appointment["id"], "rescheduled")

    def test_of_another_business_is_another_call(self, client, business, other_business, booking):
        data = client.post(URL, {**booking, "provider_call_id": "CA-77"}).json()["data"]
        assert arrive(other_business).appointment_id is None
        assert arrive(business).appointment_id == data["id"]

    def test_does_not_go_with_our_id(self, client, business, booking, appointment):
        call = make_call(business)
        both = {"call_id": call.pk, "provider_call_id": "CA-77"}
        for response in (
            client.post(URL, {**booking, **both}),
            client.patch(f"{URL}/{appointment['id']}", {"status": "cancelled", **both}),
            client.patch(f"{URL}/{appointment['id']}", {"provider_call_id": "CA-77"}),
            client.post(URL, {**booking, "provider_call_id": "x" * 201}),
        ):
            assert response.status_code == 422
            assert list(response.json()["errors"]) == ["provider_call_id"]

    def test_is_forgotten_where_the_call_never_comes(self, client, booking):
        client.post(URL, {**booking, "provider_call_id": "CA-77"})
        assert forget_awaited_links(now=timezone.now() + timedelta(days=29)) == 0
        assert forget_awaited_links(now=timezone.now() + timedelta(days=31)) == 1


class TestFilters:
    def test_calls_by_the_providers_id_and_outcome(self, client, business):
        call = make_call(business, provider_call_id="CA-77", outcome="voicemail")
        make_call(business, outcome="booked")
        for query in ({"provider_call_id": "CA-77"}, {"outcome": "voicemail"}):
            [row] = client.get("/api/v1/calls", query).json()["data"]
            assert row["id"] == call.pk
        assert client.get("/api/v1/calls", {"provider_call_id": "CA-7"}).json()["data"] == []
        response = client.get("/api/v1/calls", {"outcome": "happy"})
        assert (response.status_code, list(response.json()["errors"])) == (422, ["outcome"])

    def test_appointments_by_call(self, client, business, other_business, booking, appointment):
        call = make_call(business)
        assert client.get(URL, {"call_id": call.pk}).json()["data"] == []
        Appointment.objects.filter(pk=appointment["id"]).update(call_id=call.pk)
        [row] = client.get(URL, {"call_id": call.pk}).json()["data"]
        assert row["id"] == appointment["id"]
        response = client.get(URL, {"call_id": make_call(other_business).pk})
        assert (response.status_code, list(response.json()["errors"])) == (422, ["call_id"])


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_a_booking_and_its_call_find_each_other(self):
        business = make_business()
        for number in range(4):
            appointment = make_appointment(business)
            theirs = f"CA-{number}"

            def book(appointment=appointment, theirs=theirs):
                with write_transaction():
                    notify_call("booked", appointment, theirs)

            def take(theirs=theirs):
                arrive(business, CallReport(provider_call_id=theirs, status="completed"))

            run_in_parallel(book, take)
            appointment.refresh_from_db()
            call = Call.objects.get(provider_call_id=theirs)
            assert (call.appointment_id, appointment.call_id) == (appointment.pk, call.pk)
        assert not AwaitedLink.objects.exists()

    def test_a_cancellation_and_the_report_of_its_call_wait_for_each_other(self):
        """Both change the appointment: the call books it and cancels it before its first report."""
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        business = make_business()
        appointment = make_appointment(business)
        with write_transaction():
            notify_call("booked", appointment, "CA-1")
        has_locked = threading.Event()

        def await_report():
            has_locked.set()
            time.sleep(0.5)

        def cancel():
            with at_statement("SELECT pg_advisory_xact_lock(", before=await_report):
                cancel_appointment(
                    business=business,
                    appointment_id=appointment.pk,
                    call_id="CA-1",
                    now=timezone.now(),
                )

        def report():
            assert has_locked.wait(60)
            arrive(business, CallReport(provider_call_id="CA-1", status="in_progress"))

        run_in_parallel(cancel, report)
        assert Call.objects.get().appointment_id == appointment.pk
        assert not AwaitedLink.objects.exists()
