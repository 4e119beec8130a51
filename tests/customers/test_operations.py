"""Operations on customers, without HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appointments.operations import (
    book_appointment,
    cancel_appointment,
    update_appointment,
)
from customers import operations, tasks
from customers.models import Customer
from kaivox.db.transactions import write_transaction
from kaivox.errors import NotFound, PreconditionFailed
from tests import factories
from tests.factories import make_business, make_customer
from webhooks.models import Event

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)


def event_types() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def record(
    customer,
    *,
    booked=False,
    completed=False,
    total=1,
    booked_at=NOW,
    visit=None,
    scheduled=None,
    now=NOW,
):
    stats = operations.BookingStats(total, Decimal("10.00"), visit, booked_at, scheduled)
    return operations.update_booking_stats(
        customer_id=customer.pk,
        count=lambda: stats,
        booked=booked,
        completed=completed,
        now=now,
    )


class TestCreateCustomer:
    def test_records_its_event_in_the_same_transaction(self, business):
        operations.create_customer(business=business, name="Asha", phone="098765 43210", now=NOW)
        assert event_types() == ["customer.created"]

    def test_leaves_no_event_when_rolled_back(self, business):
        with transaction.atomic():
            operations.create_customer(business=business, name="Asha", email="a@x.in", now=NOW)
            transaction.set_rollback(True)
        assert event_types() == []

    def test_names_the_customer_with_the_same_phone(self, business):
        first = make_customer(business, phone="+919876543210")
        with pytest.raises(operations.CustomerExists) as error:
            operations.create_customer(business=business, name="B", phone="919876543210", now=NOW)
        assert error.value.meta == {"existing_id": first.pk}
        assert "phone" in error.value.errors

    def test_accepts_the_same_phone_in_another_business(self, business, other_business):
        make_customer(other_business, phone="+919876543210")
        operations.create_customer(business=business, name="B", phone="9876543210", now=NOW)

    def test_rejects_the_email_of_another_without_a_phone(self, business):
        first = make_customer(business, phone="", email="Asha@example.com")
        with pytest.raises(operations.CustomerExists) as error:
            operations.create_customer(
                business=business, name="B", email="ASHA@example.com", now=NOW
            )
        assert error.value.meta == {"existing_id": first.pk}
        assert "email" in error.value.errors

    @pytest.mark.parametrize("phone", ("", "+919876543210"))
    def test_compares_emails_without_case_in_every_script(self, business, phone):
        first = make_customer(business, phone=phone, email="Élodie@straße.example")
        with pytest.raises(operations.CustomerExists) as error:
            operations.create_customer(
                business=business, name="B", email="éLODIE@STRASSE.example", now=NOW
            )
        assert error.value.meta == {"existing_id": first.pk}

    def test_lets_a_family_share_an_email(self, business):
        make_customer(business, phone="+919876543210", email="rao@example.com")
        operations.create_customer(
            business=business, name="B", phone="9876543211", email="rao@example.com", now=NOW
        )
        assert Customer.objects.with_email("RAO@example.com").count() == 2

    def test_needs_a_phone_or_an_email(self, business):
        with pytest.raises(operations.NotReachable):
            operations.create_customer(business=business, name="A", phone="", now=NOW)

    def test_raises_what_is_not_about_duplicates(self, business):
        with pytest.raises(IntegrityError):
            operations.create_customer(
                business=business, name="A", email="a@x.in", pipeline_stage="nowhere", now=NOW
            )


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_make_one_row_by_phone(self):
        business = make_business()

        def create(_: int) -> str:
            try:
                operations.create_customer(business=business, name="A", phone="9876543210", now=NOW)
                return "made"
            except operations.CustomerExists as error:
                return str(error.meta["existing_id"])
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(create, range(8)))
        customer = Customer.objects.get()
        assert sorted(results) == sorted(["made", *[str(customer.pk)] * 7])
        assert event_types() == ["customer.created"]

    @pytest.mark.parametrize("change", ("create", "update"))
    def test_make_one_row_by_email(self, change):
        """One with, one without a phone, which no constraint compares."""
        business = make_business()
        other = make_customer(business, phone="+919876543210")

        def second() -> int | None:
            try:
                if change == "create":
                    operations.create_customer(
                        business=business, name="B", phone="9876543211", email="É@X.in", now=NOW
                    )
                else:
                    operations.update_customer(
                        business=business,
                        customer_id=other.pk,
                        changes={"email": "É@X.in"},
                        now=NOW,
                    )
            except operations.CustomerExists as error:
                return error.meta["existing_id"]
            else:
                return None
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with write_transaction():
                first = operations.create_customer(
                    business=business, name="A", email="é@x.in", now=NOW
                )
                waiting = pool.submit(second)
                # Long enough for a second write that does not wait; one that waits goes on below.
                with suppress(NotYet):
                    waiting.result(timeout=0.5)
            assert waiting.result(timeout=60) == first.pk

    def test_callers_become_one_customer(self):
        business = make_business()

        def find(_: int) -> tuple[int, bool]:
            try:
                customer, created = operations.find_or_create_by_phone(
                    business=business, phone="+919876543210", source="voice", now=NOW
                )
                return customer.pk, created
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(find, range(8)))
        assert len({pk for pk, _ in results}) == 1
        assert sum(created for _, created in results) == 1


class TestUpdateCustomer:
    def update(self, customer, **changes):
        return operations.update_customer(
            business=customer.business, customer_id=customer.pk, changes=changes, now=NOW
        )

    def test_records_one_event(self, business):
        self.update(make_customer(business), name="New", notes="Prefers mornings")
        assert event_types() == ["customer.updated"]

    def test_records_no_event_when_nothing_changes(self, business):
        customer = make_customer(business, name="Same")
        updated = self.update(customer, name="Same", phone=customer.phone)
        assert updated.updated_at == customer.updated_at
        assert event_types() == []

    def test_rejects_a_stale_version(self, business):
        customer = make_customer(business)
        with pytest.raises(PreconditionFailed):
            operations.update_customer(
                business=business,
                customer_id=customer.pk,
                changes={"name": "X"},
                expected=customer.updated_at - timedelta(seconds=1),
                now=NOW,
            )

    def test_rejects_the_phone_of_another(self, business):
        other = make_customer(business)
        with pytest.raises(operations.CustomerExists) as error:
            self.update(make_customer(business), phone=other.phone)
        assert error.value.meta == {"existing_id": other.pk}

    def test_removes_the_phone_where_an_email_remains(self, business):
        customer = make_customer(business, email="a@x.in")
        assert self.update(customer, phone=None).phone == ""
        with pytest.raises(operations.NotReachable):
            self.update(customer, email=None)

    def test_rejects_an_erased_customer(self, business):
        customer = make_customer(business)
        operations.erase_customer(business=business, customer_id=customer.pk, now=NOW)
        with pytest.raises(operations.CustomerErased):
            self.update(customer, name="Back")

    def test_rejects_an_unknown_column(self, business):
        with pytest.raises(TypeError, match="total_spent"):
            self.update(make_customer(business), total_spent=5)


class TestUpdateBookingStats:
    def test_makes_a_lead_active(self, business):
        customer = record(make_customer(business), booked=True)
        assert (customer.segment, customer.pipeline_stage) == ("active", "appointment_set")
        assert (customer.total_appointments, customer.total_spent) == (1, Decimal("10.00"))

    def test_makes_a_customer_with_an_appointment_ahead_active(self, business):
        old = NOW - timedelta(days=300)
        ahead, over = NOW + timedelta(days=3), NOW - timedelta(days=3)
        assert record(make_customer(business), booked_at=old, scheduled=ahead).segment == "active"
        assert record(make_customer(business), booked_at=old, scheduled=over).segment == "inactive"

    def test_makes_the_tenth_a_vip(self, business):
        assert record(make_customer(business), booked=True, total=10).segment == "vip"

    def test_converts_on_completion(self, business):
        customer = make_customer(business, pipeline_stage="lost")
        assert record(customer, completed=True, visit=NOW).pipeline_stage == "converted"

    def test_leaves_a_segment_set_by_hand_until_the_next_booking(self, business):
        customer = make_customer(business, segment="vip", segment_by_hand=True)
        assert record(customer, completed=True, visit=NOW).segment == "vip"
        assert record(customer, booked=True).segment == "active"

    def test_emits_no_event(self, business):
        record(make_customer(business), booked=True)
        assert event_types() == []


class TestLastScheduled:
    def test_follows_booking_moving_and_cancelling(self, business):
        service = factories.make_service(business)
        factories.make_staff(business, services=[service], hours=["00:00-24:00"])
        customer, now = make_customer(business), timezone.now()
        start = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=2)

        def last_scheduled():
            customer.refresh_from_db()
            return customer.last_scheduled_at

        appointment = book_appointment(
            business=business, customer=customer, service=service, start=start, now=now
        )
        assert last_scheduled() == start
        later = start + timedelta(hours=1)
        which = {"business": business, "appointment_id": appointment.pk, "expected": None}
        update_appointment(**which, changes={"start": later}, now=now)
        assert last_scheduled() == later
        cancel_appointment(**which, reason="", now=now)
        assert last_scheduled() is None


class TestRefreshSegments:
    def test_follows_the_time_that_has_passed(self, business):
        old, recent = NOW - timedelta(days=300), NOW - timedelta(days=3)
        moved = {
            "inactive": make_customer(
                business, segment="active", total_appointments=1, last_booked_at=old
            ),
            "vip": make_customer(
                business, segment="active", total_appointments=10, last_booked_at=old
            ),
            "active": make_customer(
                business, segment="inactive", total_appointments=1, last_visit_at=recent
            ),
            "lead": make_customer(business, segment="active"),
        }
        ahead = make_customer(
            business,
            segment="inactive",
            total_appointments=1,
            last_booked_at=old,
            last_scheduled_at=NOW + timedelta(days=1),
        )
        over = make_customer(
            business,
            segment="active",
            total_appointments=1,
            last_booked_at=old,
            last_scheduled_at=recent,
        )
        by_hand = make_customer(
            business, segment="vip", segment_by_hand=True, total_appointments=1, last_booked_at=old
        )
        assert operations.refresh_segments(now=NOW) == 6
        ahead.refresh_from_db()
        over.refresh_from_db()
        assert (ahead.segment, over.segment) == ("active", "inactive")
        for segment, customer in moved.items():
            customer.refresh_from_db()
            assert customer.segment == segment
            assert customer.updated_at > customer.created_at
        by_hand.refresh_from_db()
        assert by_hand.segment == "vip"
        assert operations.refresh_segments(now=NOW) == 0

    def test_is_committed_in_batches(self, business):
        """So that a booking does not wait until the customers of all businesses are updated."""
        Customer.objects.bulk_create(
            Customer(business=business, name="Asha", phone=f"+9198{number:08}", segment="active")
            for number in range(1_001)
        )
        with CaptureQueriesContext(connection) as captured:
            assert operations.refresh_segments(now=NOW) == 1_001
        transactions = [query for query in captured if query["sql"].startswith("SAVEPOINT")]
        assert len(transactions) == 2

    def test_is_called_by_a_task(self, business):
        customer = make_customer(business, segment="active")
        tasks.refresh_segments()
        customer.refresh_from_db()
        assert customer.segment == "lead"


class TestEraseCustomer:
    def test_does_not_find_those_of_others(self, business, other_business):
        with pytest.raises(NotFound):
            operations.erase_customer(
                business=business, customer_id=make_customer(other_business).pk, now=NOW
            )

    def test_leaves_the_figures_and_nothing_else(self, business):
        customer = make_customer(
            business, email="a@x.in", notes="Allergic", metadata={"a": "b"}, total_appointments=3
        )
        erased = operations.erase_customer(business=business, customer_id=customer.pk, now=NOW)
        assert (erased.name, erased.phone, erased.email, erased.notes) == ("Erased", "", "", "")
        assert (erased.metadata, erased.total_appointments) == ({}, 3)
        erased.refresh_from_db()
        assert (erased.email_folded, erased.search_text.split()) == ("", ["erased"])
        assert event_types() == ["customer.erased"]
        operations.erase_customer(business=business, customer_id=customer.pk, now=NOW)
        assert event_types() == ["customer.erased"]
