"""Operations on appointments: changes between reading and locking, database errors, calls."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle

import pytest
from django.db import IntegrityError, OperationalError

from appointments import call_links, holds, operations
from appointments.holds import HoldExpired, TooManyHolds
from appointments.models import Appointment, Hold
from appointments.reservations import Inactive, SlotUnavailable, StaffNotQualified
from appointments.status_transitions import InvalidTransition
from customers.models import Customer
from customers.operations import CustomerErased, erase_customer
from kaivox.businesses.models import ApiKey
from kaivox.errors import Invalid, NotFound, PreconditionFailed, Unavailable
from kaivox.registry import Registry
from staff.models import StaffMember
from tests import factories
from tests.appointments.conftest import NOW, event_types
from tests.appointments.faults import BEGIN, INSERT_APPOINTMENT, INSERT_EVENT, at_statement

TEN = NOW + timedelta(hours=4)


@pytest.fixture
def book(clinic):
    def act(**values) -> Appointment:
        return operations.book_appointment(
            **{
                "business": clinic.business,
                "customer": clinic.customer,
                "service": clinic.service,
                "staff": clinic.staff,
                "start": TEN,
                "now": NOW,
                **values,
            }
        )

    return act


def raising(error: Exception):
    def fail():
        raise error

    return fail


class TestReserveSlot:
    @pytest.fixture
    def competing(self, clinic):
        """Books the requested time for the same member of staff."""

        def act(staff: StaffMember | None = None) -> None:
            staff = staff or clinic.staff
            factories.make_appointment(service=clinic.service, staff=staff, start_time=TEN)

        return act

    def test_checks_the_rules_again_under_the_lock(self, book, competing):
        with at_statement(BEGIN, before=competing), pytest.raises(SlotUnavailable):
            book()

    @pytest.mark.parametrize(
        ("change", "error"),
        (
            (lambda person: person.services.clear(), StaffNotQualified),
            (
                lambda person: StaffMember.objects.filter(pk=person.pk).update(is_active=False),
                Inactive,
            ),
            (lambda person: person.delete(), NotFound),
        ),
    )
    def test_reads_the_person_again_under_the_lock(self, clinic, book, change, error):
        with at_statement(BEGIN, before=lambda: change(clinic.staff)), pytest.raises(error):
            book()

    def test_continues_with_the_next_free_person(self, clinic, book, competing):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        with at_statement(BEGIN, before=competing):
            assert book(staff=None).staff == other

    def test_fails_after_some_attempts_when_others_are_always_faster(self, clinic, book, competing):
        # Within the savepoint, which is rolled back: each attempt finds the person free again.
        attempts = []

        def compete() -> None:
            attempts.append(competing())

        with at_statement(BEGIN, after=compete, times=100), pytest.raises(SlotUnavailable):
            book(staff=None)
        assert len(attempts) == 3
        assert not Appointment.objects.exists()

    def test_relies_on_the_constraint_last(self, book, competing):
        with (
            at_statement(INSERT_APPOINTMENT, before=competing),
            pytest.raises(SlotUnavailable),
        ):
            book()
        assert event_types() == []

    def test_reports_a_lock_timeout_as_unavailable(self, book):
        timeout = raising(OperationalError("lock timeout"))
        with at_statement(BEGIN, after=timeout), pytest.raises(Unavailable):
            book()

    def test_reports_no_other_constraint_as_a_double_booking(self, clinic, book):
        clinic.service.price = None
        with pytest.raises(IntegrityError):
            book()

    def test_stores_nothing_where_the_event_fails(self, clinic, book):
        crash = raising(RuntimeError())
        with at_statement(INSERT_EVENT, before=crash), pytest.raises(RuntimeError):
            book()
        assert not Appointment.objects.exists()
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_appointments == 0


class TestBookAppointment:
    def test_rejects_an_erased_customer(self, clinic, book):
        erase_customer(business=clinic.business, customer_id=clinic.customer.pk, now=NOW)
        clinic.customer.refresh_from_db()
        with pytest.raises(CustomerErased):
            book()

    def test_rejects_a_customer_erased_since_they_were_read(self, clinic, book):
        rows = Customer.objects.filter(pk=clinic.customer.pk)
        with (
            at_statement(BEGIN, before=lambda: rows.update(erased_at=NOW)),
            pytest.raises(CustomerErased),
        ):
            book()
        assert not Appointment.objects.exists()


class TestHolds:
    @pytest.fixture
    def hold(self, clinic) -> Hold:
        return holds.place_hold(
            business=clinic.business,
            service=clinic.service,
            staff=clinic.staff,
            start=TEN,
            lasts=timedelta(minutes=5),
            now=NOW,
        )

    def test_serve_one_booking(self, book, hold):
        Hold.objects.all().delete()
        with pytest.raises(HoldExpired):
            book(hold=hold)
        assert not Appointment.objects.exists()

    def test_of_one_key_are_limited(self, clinic, api_key):
        def place(number: int, key=None, now=NOW) -> Hold:
            return holds.place_hold(
                business=clinic.business,
                service=clinic.service,
                start=TEN + timedelta(days=number),
                lasts=timedelta(minutes=5),
                now=now,
                created_by_key=key,
            )

        key = ApiKey.objects.get(business=clinic.business)
        for number in range(holds.MAX_OPEN_HOLDS):
            place(number, key)
        with pytest.raises(TooManyHolds):
            place(20, key)
        factories.make_key(clinic.business)
        place(20, ApiKey.objects.exclude(pk=key.pk).get(business=clinic.business))
        place(21)  # by the staff
        place(0, key, now=NOW + timedelta(minutes=5))


class TestReschedule:
    @pytest.fixture
    def move(self, clinic):
        def act(appointment, **values) -> Appointment:
            return operations.reschedule_appointment(
                **{
                    "business": clinic.business,
                    "appointment_id": appointment.pk,
                    "start": TEN + timedelta(hours=1),
                    "now": NOW,
                    **values,
                }
            )

        return act

    def test_keeps_the_member_of_staff_assigned_meanwhile(self, clinic, book, move):
        appointment = book()
        other = factories.make_staff(clinic.business, services=[clinic.service])
        rows = Appointment.objects.filter(pk=appointment.pk)
        with at_statement(BEGIN, before=lambda: rows.update(staff=other)):
            moved = move(appointment)
        assert (moved.staff, moved.start_time) == (other, TEN + timedelta(hours=1))

    def test_rejects_what_was_cancelled_meanwhile(self, book, move):
        appointment = book()
        rows = Appointment.objects.filter(pk=appointment.pk)
        with (
            at_statement(BEGIN, before=lambda: rows.update(status="cancelled")),
            pytest.raises(InvalidTransition),
        ):
            move(appointment)

    def test_rejects_another_version_than_expected(self, book, move):
        appointment = book()
        rows = Appointment.objects.filter(pk=appointment.pk)
        edit = {"notes": "x", "updated_at": NOW + timedelta(seconds=1)}
        with (
            at_statement(BEGIN, before=lambda: rows.update(**edit)),
            pytest.raises(PreconditionFailed),
        ):
            move(appointment, expected=appointment.updated_at)

    def test_without_an_expected_version_any_will_do(self, book, move):
        appointment = book()
        rows = Appointment.objects.filter(pk=appointment.pk)
        edit = {"notes": "x", "updated_at": NOW + timedelta(seconds=1)}
        with at_statement(BEGIN, before=lambda: rows.update(**edit)):
            moved = move(appointment)
        assert (moved.notes, moved.start_time) == ("x", TEN + timedelta(hours=1))

    def test_is_unavailable_where_the_appointment_changes_at_each_attempt(self, clinic, book, move):
        appointment = book()
        other = factories.make_staff(clinic.business, services=[clinic.service])
        turns = cycle([other, clinic.staff])
        rows = Appointment.objects.filter(pk=appointment.pk)
        with (
            at_statement(BEGIN, before=lambda: rows.update(staff=next(turns)), times=100),
            pytest.raises(Unavailable),
        ):
            move(appointment)

    def test_of_none_is_not_found(self, clinic):
        with pytest.raises(NotFound):
            operations.reschedule_appointment(
                business=clinic.business, appointment_id=1, start=TEN, now=NOW
            )
        with pytest.raises(NotFound):
            operations.cancel_appointment(business=clinic.business, appointment_id=1, now=NOW)


class TestUpdate:
    def test_rejects_what_changed_after_a_move_to_where_it_is(self, clinic, book):
        """Such a move locks nothing."""
        appointment = book()
        edit = {"notes": "theirs", "updated_at": NOW + timedelta(seconds=1)}
        edits = iter((None, edit))  # not at the beginning, but before the notes are written

        def meanwhile():
            if values := next(edits):
                Appointment.objects.filter(pk=appointment.pk).update(**values)

        with at_statement(BEGIN, before=meanwhile, times=2), pytest.raises(PreconditionFailed):
            operations.update_appointment(
                business=clinic.business,
                appointment_id=appointment.pk,
                changes={"start": TEN, "notes": "ours"},
                expected=appointment.updated_at,
                now=NOW,
            )

    def test_moves_and_edits_the_expected_version(self, clinic, book):
        appointment = book()
        changes = {"start": TEN + timedelta(hours=1), "confirmation": "confirmed", "notes": "ours"}
        changed = operations.update_appointment(
            business=clinic.business,
            appointment_id=appointment.pk,
            changes=changes,
            expected=appointment.updated_at,
            now=NOW,
        )
        assert (changed.start_time, changed.confirmation) == (changes["start"], "confirmed")
        assert changed.notes == "ours"


class TestCalls:
    class CallLog:
        def __init__(self) -> None:
            self.notified: list[tuple[str, Appointment, int]] = []

        def exists(self, *, business, call_id) -> bool:
            return call_id == 7

        def record_action(self, action, *, appointment, call) -> None:
            self.notified.append((action, appointment, call))

    @pytest.fixture
    def call_log(self, monkeypatch):
        log = self.CallLog()
        registry = Registry("calls of this test")
        registry.register(log)
        monkeypatch.setattr(call_links, "call_log", registry)
        return log

    def test_are_notified_of_their_booking(self, book, call_log):
        appointment = book(call_id=7)
        assert call_log.notified == [("booked", appointment, 7)]
        assert appointment.call_id == 7

    def test_that_do_not_exist_are_rejected(self, book, call_log):
        with pytest.raises(Invalid) as caught:
            book(call_id=8)
        assert list(caught.value.errors) == ["call_id"]
        assert not Appointment.objects.exists()

    def test_need_a_registered_call_log(self, book, monkeypatch):
        monkeypatch.setattr(call_links, "call_log", Registry("nothing is registered"))
        with pytest.raises(LookupError):
            book(call_id=7)
