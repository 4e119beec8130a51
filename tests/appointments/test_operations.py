"""What only the operations show: races between reading and writing, waiting, and calls."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError

from appointments import holds, links, operations, places
from appointments.holds import HoldExpired
from appointments.models import Appointment, Hold
from appointments.operations import InvalidTransition
from appointments.places import Inactive, SlotUnavailable, StaffNotQualified
from kaivox.errors import Invalid, NotFound, PreconditionFailed, Unavailable
from staff.models import StaffMember
from tests import factories
from tests.appointments.conftest import NOW, event_types

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


@pytest.fixture
def meanwhile(monkeypatch):
    """Does something between the look before the lock and the lock, once."""

    def arrange(act) -> None:
        begin = places.write_transaction

        def begin_later(**how):
            monkeypatch.setattr(places, "write_transaction", begin)
            act()
            return begin(**how)

        monkeypatch.setattr(places, "write_transaction", begin_later)

    return arrange


class TestTakePlace:
    def test_sees_what_happened_before_it_got_the_lock(self, clinic, book, meanwhile):
        meanwhile(
            lambda: factories.make_appointment(
                service=clinic.service, staff=clinic.staff, start_time=TEN
            )
        )
        with pytest.raises(SlotUnavailable):
            book()

    @pytest.mark.parametrize(
        ("change", "refusal"),
        (
            (lambda person: person.services.clear(), StaffNotQualified),
            (
                lambda person: StaffMember.objects.filter(pk=person.pk).update(is_active=False),
                Inactive,
            ),
            (lambda person: person.delete(), NotFound),
        ),
    )
    def test_reads_the_person_again_under_the_lock(self, clinic, book, meanwhile, change, refusal):
        meanwhile(lambda: change(clinic.staff))
        with pytest.raises(refusal):
            book()

    def test_goes_on_to_the_next_free_person(self, clinic, book, meanwhile):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        meanwhile(
            lambda: factories.make_appointment(
                service=clinic.service, staff=clinic.staff, start_time=TEN
            )
        )
        assert book(staff=None).staff == other

    def test_gives_up_when_others_are_always_faster(self, clinic, book, monkeypatch):
        def refuse(*args):
            raise SlotUnavailable

        monkeypatch.setattr(places, "_take", refuse)
        with pytest.raises(SlotUnavailable):
            book(staff=None)

    def test_leaves_the_last_word_to_the_constraint(self, clinic, book, monkeypatch):
        book()
        monkeypatch.setattr(places, "_refuse_if_taken", lambda *args: None)
        monkeypatch.setattr(places, "_refuse_by_rules", lambda *args: None)
        with pytest.raises(SlotUnavailable):
            book()
        assert event_types() == ["appointment.booked"]

    @pytest.mark.parametrize(
        ("error", "told"),
        ((OperationalError("lock timeout"), Unavailable), (IntegrityError("x"), IntegrityError)),
    )
    def test_tells_what_the_database_says(self, book, monkeypatch, error, told):
        def fail(*args):
            raise error

        monkeypatch.setattr(places, "_lock_staff", fail)
        with pytest.raises(told):
            book()

    def test_that_fails_in_the_end_leaves_nothing(self, clinic, book, monkeypatch):
        def fail(*args, **kwargs):
            raise RuntimeError

        monkeypatch.setattr(operations.events, "tell_booked", fail)
        with pytest.raises(RuntimeError):
            book()
        assert not Appointment.objects.exists()
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_appointments == 0


class TestHolds:
    def test_one_hold_serves_one_booking(self, clinic, book):
        hold = holds.hold_time(
            business=clinic.business,
            service=clinic.service,
            staff=clinic.staff,
            start=TEN,
            lasts=timedelta(minutes=5),
            now=NOW,
        )
        Hold.objects.all().delete()
        with pytest.raises(HoldExpired):
            book(hold=hold)
        assert not Appointment.objects.exists()


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

    def test_stays_with_whom_it_has_been_given_to_meanwhile(self, clinic, book, move, meanwhile):
        appointment = book()
        other = factories.make_staff(clinic.business, services=[clinic.service])
        rows = Appointment.objects.filter(pk=appointment.pk)
        meanwhile(lambda: rows.update(staff=other, updated_at=NOW + timedelta(seconds=1)))
        moved = move(appointment)
        assert (moved.staff, moved.start_time) == (other, TEN + timedelta(hours=1))

    def test_refuses_what_was_cancelled_meanwhile(self, clinic, book, move, meanwhile):
        appointment = book()
        rows = Appointment.objects.filter(pk=appointment.pk)
        later = NOW + timedelta(seconds=1)
        meanwhile(lambda: rows.update(status="cancelled", updated_at=later))
        with pytest.raises(InvalidTransition):
            move(appointment)

    def test_keeps_to_what_the_caller_has_seen(self, book, move, meanwhile):
        appointment = book()
        rows = Appointment.objects.filter(pk=appointment.pk)
        meanwhile(lambda: rows.update(notes="x", updated_at=NOW + timedelta(seconds=1)))
        with pytest.raises(PreconditionFailed):
            move(appointment, expected=appointment.updated_at)

    def test_gives_up_on_what_never_rests(self, book, move, monkeypatch):
        appointment = book()

        def refuse(*args, **kwargs):
            raise operations._ChangedMeanwhile

        monkeypatch.setattr(operations, "_reschedule", refuse)
        with pytest.raises(PreconditionFailed):
            move(appointment)

    def test_of_none_is_not_found(self, clinic):
        with pytest.raises(NotFound):
            operations.reschedule_appointment(
                business=clinic.business, appointment_id=1, start=TEN, now=NOW
            )
        with pytest.raises(NotFound):
            operations.cancel_appointment(business=clinic.business, appointment_id=1, now=NOW)


class TestCalls:
    class Link:
        def __init__(self) -> None:
            self.told: list[Appointment] = []

        def exists(self, *, business, call_id) -> bool:
            return call_id == 7

        def happened(self, deed, *, appointment, call_id) -> None:
            self.told.append((deed, appointment, call_id))

    @pytest.fixture
    def link(self, monkeypatch):
        link = self.Link()
        monkeypatch.setattr(links, "_link", link)
        return link

    def test_are_told_of_their_booking(self, book, link):
        appointment = book(call_id=7)
        assert link.told == [("booked", appointment, 7)]
        assert appointment.call_id == 7

    def test_that_do_not_exist_are_refused(self, book, link):
        with pytest.raises(Invalid) as refusal:
            book(call_id=8)
        assert list(refusal.value.errors) == ["call_id"]
        assert not Appointment.objects.exists()

    def test_are_unknown_until_somebody_registers(self, book, monkeypatch):
        monkeypatch.setattr(links, "_link", links._NoCalls())
        with pytest.raises(Invalid):
            book(call_id=7)
        with pytest.raises(LookupError):
            links.tell_call("booked", book(), 7)

    def test_register_once(self, monkeypatch, link):
        monkeypatch.setattr(links, "_link", links._NoCalls())
        links.register_call_link(link)
        assert links._link is link
