"""Whole conversations: times, bookings, misunderstandings. A scripted caller plays them, as no model is
needed to know what must be in the database in the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.models import Appointment, Hold
from customers.models import Customer
from tests import factories
from tests.agents.caller import E164, PHONE, Caller, at, booked

pytestmark = pytest.mark.django_db


class TestBooking:
    def test_plainly(self, each_caller):
        each_caller.ok("business_info")
        times = each_caller.ok("find_times", service="Cleaning", day="tomorrow")["times"]
        each_caller.ok("book", service="Cleaning", start=times[0]["start"], name="Asha Rao")
        (appointment,) = booked()
        assert appointment.start_time == at(9)
        assert appointment.customer.name == "Asha Rao"
        assert appointment.customer.phone == E164

    def test_with_a_hold(self, each_caller):
        times = each_caller.ok("find_times", service="root canal", day="2026-06-04")["times"]
        held = each_caller.ok("hold_time", service="root canal", start=times[-1]["start"])
        each_caller.ok("book", hold_id=held["hold_id"], name="Asha Rao")
        assert [one.service.name for one in booked()] == ["Root Canal"]
        assert not Hold.objects.exists()

    def test_as_people_say_dates(self, caller):
        caller.ok("book", service="Cleaning", start="next Tuesday at 3 pm", name="Asha")
        assert booked()[0].start_time == at(15, day=9)

    def test_with_ids_instead_of_names(self, caller, clinic):
        caller.ok(
            "book",
            service=clinic.cleaning.pk,
            staff=str(clinic.priya.pk),
            start="2026-06-03T11:00:00+05:30",
            name="Asha",
        )
        assert booked()[0].staff == clinic.priya

    def test_with_typos(self, caller, clinic):
        caller.ok(
            "book", service="teeth whitning", staff="elodie", start="tomorrow 10:00", name="A B"
        )
        assert booked()[0].staff == clinic.elodie

    def test_for_a_customer_who_is_known(self, caller, clinic):
        known = factories.make_customer(clinic.business, name="Old Friend", phone=E164)
        assert caller.ok("customer_by_phone")["customer"]["name"] == "Old Friend"
        caller.ok("book", service="Cleaning", start="tomorrow 10:00")
        assert booked()[0].customer == known

    def test_for_someone_else(self, caller):
        caller.ok(
            "book", service="Cleaning", start="tomorrow 10:00", name="Ma", phone="+91 90000 11111"
        )
        assert booked()[0].customer.phone == "+919000011111"

    def test_two_appointments_in_one_call(self, caller):
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        caller.ok("book", service="Whitening", start="tomorrow 11:00")
        assert len(booked()) == 2

    def test_in_spanish(self, way, clinic):
        caller = Caller(way, clinic, language="es-MX")
        times = caller.ok("find_times", service="Cleaning", day="mañana")
        assert "miércoles 3 de junio" in times["say"]
        said = caller.ok("book", service="Cleaning", start="mañana a las 10", name="Ana")["say"]
        assert "cita" in said
        assert booked()[0].start_time == at(10)

    def test_from_a_withheld_number(self, way, clinic):
        caller = Caller(way, clinic, phone="anonymous")
        caller.fails(
            "missing_argument", "book", service="Cleaning", start="tomorrow 10:00", name="A"
        )
        assert not Customer.objects.exists()
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha", phone=PHONE)
        assert booked()[0].customer.phone == E164


class TestMisunderstandings:
    def test_a_name_that_two_people_have(self, each_caller, clinic):
        result = each_caller.fails(
            "ambiguous_staff", "find_times", service="Cleaning", staff="dr sharma"
        )
        assert {one["id"] for one in result["choices"]} == {clinic.anil.pk, clinic.priya.pk}
        assert "Anil" in result["say"]
        assert "Priya" in result["say"]

    def test_a_name_that_only_one_of_them_can_mean(self, caller, clinic):
        caller.ok("book", service="root canal", staff="Sharma", start="tomorrow 10:00", name="A")
        assert booked()[0].staff == clinic.anil

    def test_a_service_that_is_not_there(self, caller):
        result = caller.fails("unknown_service", "find_times", service="haircut", day="tomorrow")
        assert len(result["choices"]) == 4

    def test_a_person_who_does_not_do_it(self, caller):
        caller.fails("staff_not_qualified", "find_times", service="Root Canal", staff="Priya")

    def test_no_name_yet(self, caller):
        caller.fails("missing_argument", "book", service="Cleaning", start="tomorrow 10:00")
        assert not Customer.objects.exists()
        caller.ok("book", service="Cleaning", start="tomorrow 10:00", name="Asha")
        assert len(booked()) == 1

    def test_a_date_in_the_past(self, caller):
        result = caller.fails("in_the_past", "find_times", service="Cleaning", day="2024-03-01")
        assert "today is Tuesday, June 2" in result["say"]
        result = caller.fails(
            "in_the_past", "book", service="Cleaning", start="2024-03-01 10:00", name="Asha"
        )
        assert "today is Tuesday, June 2" in result["say"]
        assert not Customer.objects.exists()

    def test_no_day_at_all(self, caller):
        result = caller.fails(
            "invalid_arguments", "find_times", service="Cleaning", day="whenever-ish"
        )
        assert "Tuesday, June 2" in result["say"]

    def test_a_phone_number_that_is_none(self, caller):
        caller.fails(
            "invalid_phone",
            "book",
            service="Cleaning",
            start="tomorrow 10:00",
            name="A",
            phone="12",
        )
        assert not Appointment.objects.exists()

    def test_a_phone_number_in_words_is_not_taken_for_the_one_that_calls(self, caller):
        how = {"service": "Cleaning", "start": "tomorrow 10:00", "name": "Asha"}
        caller.fails("invalid_phone", "book", phone="nine eight seven six", **how)
        caller.ok("book", phone="this number", **how)
        assert booked()[0].customer.phone == E164

    def test_placeholders_and_empty_texts(self, each_caller):
        each_caller.ok(
            "book",
            service="Cleaning",
            start="tomorrow 10:00",
            name="Asha",
            staff="",
            phone="{{customer.number}}",
            notes=None,
            hold_id="",
        )
        assert booked()[0].customer.phone == E164


class TestTakenTimes:
    def test_are_answered_with_others(self, each_caller, clinic):
        for person in (clinic.anil, clinic.priya):
            factories.make_appointment(service=clinic.cleaning, staff=person, start_time=at(10))
        result = each_caller.fails(
            "slot_unavailable", "book", service="Cleaning", start="tomorrow 10:00", name="Asha"
        )
        assert 1 <= len(result["alternatives"]) <= 3
        each_caller.ok(
            "book", service="Cleaning", start=result["alternatives"][0]["start"], name="Asha"
        )
        assert len(booked()) == 3

    def test_go_to_who_comes_first(self, caller, clinic):
        first, second = caller, Caller(type(caller.line), clinic, phone="+919000022222")
        offered = [
            one.ok("find_times", service="deep cleaning", day="tomorrow") for one in (first, second)
        ]
        start = offered[0]["times"][0]["start"]
        first.ok("book", service="deep cleaning", start=start, name="First")
        second.fails(
            "slot_unavailable", "book", service="deep cleaning", start=start, name="Second"
        )
        assert [one.customer.name for one in booked()] == ["First"]
        assert not Customer.objects.filter(name="Second").exists()

    def test_are_held_for_the_other_caller(self, caller, clinic, clock):
        first, second = caller, Caller(type(caller.line), clinic, phone="+919000022222")
        first.ok("hold_time", service="deep cleaning", start="tomorrow 10:00")
        second.fails(
            "slot_unavailable", "book", service="deep cleaning", start="tomorrow 10:00", name="B"
        )
        # The first one hangs up: the hold ends by itself.
        clock.shift(timedelta(minutes=6))
        second.ok("book", service="deep cleaning", start="tomorrow 10:00", name="B")
        assert [one.customer.name for one in booked()] == ["B"]

    def test_a_hold_that_has_ended(self, caller, clock):
        held = caller.ok("hold_time", service="Cleaning", start="tomorrow 10:00")
        clock.shift(timedelta(minutes=6))
        caller.fails("hold_expired", "book", hold_id=held["hold_id"], name="Asha")
        assert not Customer.objects.exists()

    def test_outside_of_the_hours(self, caller):
        result = caller.fails(
            "outside_working_hours", "book", service="Cleaning", start="tomorrow 20:00", name="A"
        )
        assert result["alternatives"]

    def test_a_full_day(self, caller, clinic):
        factories.make_appointment(
            service=factories.make_service(clinic.business, duration_minutes=480),
            staff=clinic.elodie,
            start_time=at(9),
        )
        result = caller.ok("find_times", service="whitening", day="tomorrow")
        assert result["times"] == []
        assert result["next_available"]["start_utc"] == "2026-06-04T03:30:00Z"
