"""Conversations: repeated tool calls, changes, messages, and the records of the call."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.models import Appointment, Hold
from calls.models import Call, ToolCall
from customers.models import Customer
from services.models import Service
from tests import factories
from tests.agents.caller import E164, PHONE, Caller, at, booked
from tests.agents.ways import Engine

pytestmark = pytest.mark.django_db


class TestWithoutStaff:
    """A service that needs none, as a table: no name is said, and one that is named is ignored."""

    def test_say_no_name(self, caller, clinic):
        factories.make_service(
            clinic.business, name="Table", needs_staff=False, resource_kinds=["table"]
        )
        hours = [{"weekday": day, "start": "12:00", "end": "15:00"} for day in range(7)]
        factories.make_resource(clinic.business, hours=hours)
        found = caller.ok("find_times", service="table", day="tomorrow", staff="Priya")
        assert found["times"][0]["staff"] == []
        start = found["times"][0]["start"]
        held = caller.ok("hold_time", service="table", start=start)
        assert held["staff"] is None
        made = caller.ok("book", hold_id=held["hold_id"], name="Asha")
        assert made["appointment"]["staff"] is None
        assert made["say"].startswith("You are booked for Table on ")
        moved = caller.ok("reschedule", start="tomorrow 13:00", staff="Priya")
        assert moved["say"].startswith("Your Table is now on ")
        assert booked()[0].staff is None
        refused = caller.fails(
            "outside_working_hours", "book", service="table", start="tomorrow 18:00", name="Asha"
        )
        assert refused["alternatives"][0]["staff"] == []


class TestRepeatedToolCalls:
    def test_book_once(self, each_caller):
        first = each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        assert each_caller.retry() == first
        assert len(booked()) == 1

    def test_hold_once(self, each_caller):
        first = each_caller.ok("hold_time", service="Cleaning", start="tomorrow 10:00")
        assert each_caller.retry() == first
        assert Hold.objects.count() == 1

    def test_cancel_once(self, each_caller):
        each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        first = each_caller.ok("cancel")
        assert each_caller.retry() == first
        assert not booked()

    def test_leave_one_message(self, each_caller):
        each_caller.ok("take_message", message="Please call back", name="Asha")
        each_caller.retry()
        assert Customer.objects.get().notes.count("Please call back") == 1

    def test_of_an_error_are_tried_again(self, each_caller, clinic):
        blocking = factories.make_appointment(
            service=clinic.whitening, staff=clinic.elodie, start_time=at(10)
        )
        each_caller.fails(
            "slot_unavailable", "book", service="whitening", start="tomorrow 10:00", name="Asha"
        )
        Appointment.objects.filter(pk=blocking.pk).update(status="cancelled")
        assert each_caller.retry()["status"] == "ok"

    def test_the_same_wish_after_a_cancellation_is_a_new_one(self, each_caller):
        each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        each_caller.ok("cancel")
        each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        assert len(booked()) == 1

    def test_to_cancel_mean_the_appointment_that_was_booked_since(self, each_caller):
        for _ in range(2):
            each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
            each_caller.ok("cancel")
            each_caller.ok("book", service="whitening", start="tomorrow 11:00", name="Asha")
            assert each_caller.ok("cancel")["appointment"]["service"] == "Teeth Whitening"
            assert not booked()


class TestChanges:
    def test_move(self, each_caller):
        each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        found = each_caller.ok("find_appointments")["appointments"]
        each_caller.ok("reschedule", appointment_id=found[0]["id"], start="thursday at 4 pm")
        assert [one.start_time for one in booked()] == [at(16, day=4)]

    def test_move_to_a_time_on_hold(self, caller):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", staff="Anil", name="Asha")
        held = caller.ok("hold_time", service="Cleaning", start="tomorrow 12:00", staff="Priya")
        first = caller.ok("reschedule", hold_id=held["hold_id"])
        assert caller.retry() == first
        assert [(one.start_time, one.staff.name) for one in booked()] == [
            (at(12), "Dr. Priya Sharma")
        ]
        assert not Hold.objects.exists()

    def test_move_to_a_hold_that_has_ended_or_is_of_another_service(self, caller, clock):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        held = caller.ok("hold_time", service="whitening", start="tomorrow 12:00")
        caller.fails("hold_mismatch", "reschedule", hold_id=held["hold_id"])
        clock.shift(timedelta(minutes=6))
        caller.fails("hold_expired", "reschedule", hold_id=held["hold_id"])
        assert [one.start_time for one in booked()] == [at(10)]

    def test_move_without_a_time_asks_for_it(self, caller):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        caller.fails("missing_argument", "reschedule")

    def test_move_to_a_taken_time_changes_nothing(self, caller, clinic):
        factories.make_appointment(service=clinic.whitening, staff=clinic.elodie, start_time=at(16))
        caller.ok("book", service="whitening", start="tomorrow 10:00", name="Asha")
        result = caller.fails("slot_unavailable", "reschedule", start="tomorrow 16:00")
        assert result["alternatives"]
        assert booked(customer__phone=E164)[0].start_time == at(10)

    def test_confirm_and_change_ones_mind(self, caller):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        for answer, stored in (("yes", "confirmed"), ("No", "declined"), ("yes", "confirmed")):
            result = caller.ok("confirm_appointment", answer=answer)
            assert result["confirmation"] == stored
            assert caller.retry() == result
            assert [one.confirmation for one in booked()] == [stored]
        caller.fails("invalid_arguments", "confirm_appointment", answer="perhaps")
        caller.fails("invalid_arguments", "confirm_appointment")

    def test_confirm_needs_a_scheduled_appointment_of_the_caller(self, caller, clinic):
        caller.fails("not_found", "confirm_appointment", answer="yes")
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        cancelled = caller.ok("cancel")["appointment"]["id"]
        which = {"appointment_id": cancelled}
        caller.fails("invalid_transition", "confirm_appointment", answer="yes", **which)
        other = factories.make_appointment(
            clinic.business, customer=factories.make_customer(clinic.business)
        )
        caller.fails("not_found", "confirm_appointment", answer="yes", appointment_id=other.pk)

    @pytest.mark.parametrize(
        ("tool", "arguments"), (("cancel", {}), ("reschedule", {"start": "thursday at 4 pm"}))
    )
    def test_after_the_window_of_the_service_take_a_message(self, caller, clinic, tool, arguments):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        late = {"cancellation_window_minutes": 4000, "reschedule_window_minutes": 4000}
        Service.objects.update(**late)
        result = caller.fails("too_late_to_change", tool, **arguments)
        assert "message" in result["say"]
        assert [one.start_time for one in booked()] == [at(10)]

    def test_cancel_asks_which_one(self, caller):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        caller.ok("book", service="whitening", start="tomorrow 12:00")
        result = caller.fails("ambiguous_appointment", "cancel")
        caller.ok("cancel", appointment_id=result["choices"][1]["id"], reason="ill")
        assert [one.service.name for one in booked()] == ["Cleaning"]

    def test_of_an_unknown_caller(self, caller):
        assert caller.ok("find_appointments")["appointments"] == []
        caller.fails("not_found", "cancel")

    def test_of_a_strangers_business(self, caller, other_business):
        foreign = factories.make_appointment(other_business)
        caller.fails("not_found", "cancel", appointment_id=foreign.pk)
        caller.fails("not_found", "reschedule", appointment_id=foreign.pk, start="tomorrow 10:00")
        foreign.refresh_from_db()
        assert foreign.status == "scheduled"

    @pytest.mark.parametrize("phone", ({"phone": PHONE}, {}), ids=("stated", "calling"))
    def test_of_another_customer(self, caller, clinic, phone):
        other = factories.make_appointment(
            clinic.business, customer=factories.make_customer(clinic.business)
        )
        caller.fails("not_found", "cancel", appointment_id=other.pk, **phone)
        caller.fails(
            "not_found", "reschedule", appointment_id=other.pk, start="tomorrow 10:00", **phone
        )
        assert booked() == [other]

    def test_by_a_made_up_id_from_a_withheld_number(self, way, clinic):
        other = factories.make_appointment(
            clinic.business, customer=factories.make_customer(clinic.business)
        )
        caller = Caller(way, clinic, phone="anonymous")
        caller.fails("missing_argument", "cancel", appointment_id=other.pk)
        assert booked() == [other]


class TestMessages:
    def test_go_to_the_customers_notes(self, caller):
        caller.ok("take_message", message="Bring the\nX-rays *please*", name="Asha")
        customer = Customer.objects.get()
        assert customer.name == "Asha"
        assert "2026-06-02 10:30 message by phone: Bring the X-rays" in customer.notes

    def test_stay_with_those_before(self, caller, clinic):
        factories.make_customer(clinic.business, phone=E164, notes="Allergic to latex.")
        caller.ok("take_message", message="one")
        caller.ok("take_message", message="two")
        lines = Customer.objects.get().notes.splitlines()
        assert lines[0] == "Allergic to latex."
        assert [line[-3:] for line in lines[1:]] == ["one", "two"]


class TestCalls:
    def test_keep_what_was_asked_and_answered(self, each_caller):
        each_caller("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        (row,) = ToolCall.objects.all()
        assert (row.tool, row.status, row.source) == (
            "book",
            "ok",
            each_caller.line.name.split("-")[0],
        )
        assert row.provider_call_id == each_caller.line.call_id
        assert "Asha" in row.arguments
        assert "booked" in row.result
        assert row.customer.name == "Asha"

    def test_are_linked_to_what_was_booked_in_them(self, each_caller, clinic):
        call = factories.make_call(
            clinic.business, provider="vapi", provider_call_id=each_caller.line.call_id
        )
        each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        call.refresh_from_db()
        assert (call.outcome, call.appointment) == ("booked", booked()[0])
        assert Call.objects.count() == 1

    def test_are_linked_when_they_arrive_after_the_booking(self, each_caller, clinic):
        each_caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        each_caller.ok("reschedule", start="tomorrow 12:00")
        engine = Engine(clinic.business)
        body = {"call_id": each_caller.line.call_id, "status": "completed", "duration_seconds": 60}
        response = engine.signed("kaivox", "/voice/kaivox/smile", body, engine.secret)
        assert response.status_code == 200, response.content
        call = Call.objects.get()
        assert (call.outcome, call.appointment) == ("booked", booked()[0])
        assert booked()[0].call_id == call.pk
