"""A compiled query returns the same rows as the queryset that it was compiled from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from appointments import (
    availability_queries,
    booking_stats,
    capacity_queries,
    reservation_queries,
)
from appointments.models import LONGEST_BUSY
from kaivox.db.compiled_query import CompiledQuery
from staff.models import Break, Closure, DateOverride, TimeOff
from tests import factories
from tests.factories import minutes_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def rows(business):
    """Some rows of each kind that can block a time."""
    service = factories.make_service(business, buffer_after_minutes=5)
    people = [factories.make_staff(business, services=[service]) for _ in range(3)]
    for number, person in enumerate(people):
        owned = {"business": business, "staff": person}
        start = START + timedelta(hours=number)
        factories.make_appointment(service=service, staff=person, start_time=start)
        Break.objects.create(weekday=0, **minutes_of("12:00-13:00"), **owned)
        DateOverride.objects.create(date=date(2026, 3, 3 + number), **owned)
        TimeOff.objects.create(start_time=start, end_time=start + timedelta(hours=1), **owned)
    Closure.objects.create(
        business=business, first_date="2026-03-05", last_date="2026-03-06", reason="Holi"
    )
    return business, people


def agree(compiled: CompiledQuery, **values) -> list:
    """The rows of the compiled query, after comparing them with those of its queryset."""
    found = compiled.rows(**values)
    assert sorted(map(shown, found)) == sorted(map(shown, compiled._build(**values)))
    return found


def shown(row) -> str:
    """All columns of a row, as text."""
    columns = getattr(row, "__dict__", None)
    return repr(row if columns is None else {**columns, "_state": None})


class TestCompiledQueries:
    def test_reads_hours_like_its_queryset(self, rows):
        business, people = rows
        ids = tuple(person.pk for person in people)
        period = {"first": date(2026, 3, 1), "last": date(2026, 3, 4)}
        for some in (ids, ids[::-1], ids[:1], ids[1:]):
            assert agree(
                availability_queries._HOURS_ROWS, business_id=business.pk, staff_ids=some, **period
            )
        assert not agree(availability_queries._HOURS_ROWS, business_id=0, staff_ids=ids, **period)

    def test_reads_closures_alone_like_its_queryset(self, rows):
        period = {"first": date(2026, 3, 1), "last": date(2026, 3, 6)}
        values = {"business_id": rows[0].pk, "staff_ids": ()}
        assert len(agree(availability_queries._HOURS_ROWS, **values, **period)) == 1

    def test_reads_sessions_like_its_queryset(self, rows):
        business, people = rows
        alone = factories.make_service(business, needs_staff=False, resource_kinds=["studio"])
        taught = people[0].services.get()
        for service, staff in ((alone, None), (taught, people[0])):
            values = {"service": service, "start_time": START + timedelta(hours=9)}
            for _ in range(2):
                factories.make_appointment(staff=staff, is_shared=True, **values)
        period = {"start": START, "end": START + timedelta(hours=20), "now": START}
        for service, staff_ids in ((alone, None), (taught, (people[0].pk, people[1].pk))):
            [(staff_id, _, party, number)] = agree(
                capacity_queries._SESSION_ROWS,
                business_id=business.pk, service_id=service.pk, staff_ids=staff_ids,
                ignored=None, hold=None, **period,
            )  # fmt: skip
            assert (staff_id, party, number) == (staff_ids and staff_ids[0], 2, 2)

    @pytest.mark.parametrize("hours", (-1, 0, 2, 5))
    def test_reads_busy_time_like_its_queryset(self, rows, hours):
        business, people = rows
        start = START + timedelta(hours=hours)
        for except_appointment in (None, business.pk, 10**6):
            agree(
                availability_queries._BUSY_TIME_ROWS,
                business_id=business.pk,
                staff_ids=tuple(person.pk for person in people),
                start=start,
                at_least=start - LONGEST_BUSY,
                end=start + timedelta(hours=1),
                now=START,
                appointment=except_appointment,
                hold=None,
            )

    def test_checks_before_the_lock_like_its_queryset(self, rows):
        business, people = rows
        values = {
            "business_id": business.pk,
            "staff_id": people[0].pk,
            "start": START,
            "at_least": START - LONGEST_BUSY,
            "end": START + timedelta(minutes=1),
        }
        assert agree(reservation_queries.BUSY_RANGES, **values, appointment=None)
        [[booked]] = agree(reservation_queries.BUSY_RANGES, **values, appointment=None)
        assert not agree(reservation_queries.BUSY_RANGES, **values, appointment=booked)

    def test_locks_a_member_of_staff_like_its_queryset(self, rows):
        business, people = rows
        service = factories.make_service(business)
        values = {"business_id": business.pk, "staff_id": people[0].pk}
        with transaction.atomic():
            for offered in (people[0].services.get(), service):
                [staff] = agree(reservation_queries.LOCKED_STAFF, **values, service_id=offered.pk)
                assert (staff, staff.offers) == (people[0], offered != service)
            assert not agree(
                reservation_queries.LOCKED_STAFF,
                **(values | {"staff_id": 0}),
                service_id=service.pk,
            )

    def test_locks_the_first_who_is_free_like_its_queryset(self, rows):
        business, people = rows
        values = {
            "business_id": business.pk,
            "people": tuple(person.pk for person in (people[2], people[0], people[1])),
            "service_id": people[0].services.get().pk,
            "appointment": None,
        }
        # At nine the first of the people is busy, at ten the second, at eleven the third.
        for hour, expected in ((0, people[2]), (2, people[0])):
            start = START + timedelta(hours=hour)
            end, at_least = start + timedelta(minutes=1), start - LONGEST_BUSY
            with transaction.atomic():
                found = agree(
                    reservation_queries.FIRST_FREE_STAFF,
                    **values,
                    start=start,
                    at_least=at_least,
                    end=end,
                )
            assert found == [expected]

    def test_counts_for_a_customer_like_its_queryset(self, rows):
        business, _ = rows
        appointment = factories.make_appointment(business, status="completed")
        [(total, spent, last_visit, _, scheduled)] = agree(
            booking_stats._BOOKING_STATS,
            business_id=business.pk,
            customer_id=appointment.customer_id,
        )
        assert (total, spent, last_visit) == (1, appointment.price, appointment.start_time)
        assert scheduled is None
