"""`slots` and bookings agree: a start on the grid is a slot exactly when it can be booked."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import IntegrityError, transaction

from appointments.resources.hours import stored_closures
from appointments.resources.models import Resource
from appointments.wall_time import start_at
from kaivox.businesses.models import Business
from services.models import Service
from staff.minute_of_day import format_clock
from staff.models import Break, CalendarBusyTime, Closure, DateOverride, TimeOff
from tests import factories

URL = "/api/v1/appointments"

# (zone, a day on which its clock jumps, or an ordinary one)
DAYS = (
    ("Asia/Kolkata", date(2026, 3, 2)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Asia/Kathmandu", date(2026, 5, 5)),
)


class Undo(Exception):
    """Rolls a trial booking back."""


def window(chance: random.Random) -> str:
    start = chance.randrange(0, 1380, 15)
    return f"{format_clock(start)}-{format_clock(min(1440, start + chance.randrange(60, 900, 15)))}"


def furnish(
    business: Business, day: date, chance: random.Random, capacity: int = 1, tables: int = 0
) -> Service:
    """A business with two people and rows of each kind that can block a time around `day`; those of a
    class with seats for `capacity` are shared in part. With `tables` the service requires one."""
    Business.objects.filter(pk=business.pk).update(
        slot_interval_minutes=1,
        minimum_notice_minutes=chance.choice((0, 0, 90)),
        horizon_days=chance.choice((1, 30)),
        daily_cap_per_staff=chance.choice((None, None, 2)),
    )
    business.refresh_from_db()
    service = factories.make_service(
        business,
        **_own_rules(random.Random(f"{business.timezone} {day} service")),
        duration_minutes=chance.choice((15, 30, 60, 240)),
        buffer_before_minutes=chance.choice((0, 10)),
        buffer_after_minutes=chance.choice((0, 20)),
        capacity=capacity,
        resource_kinds=["table"] if tables else [],
    )
    for size in range(1, 1 + tables):
        _add_table(business, day, size, chance)
    for _ in range(2):
        person = factories.make_staff(
            business, services=[service], hours=[window(chance) for _ in range(2)]
        )
        _add_busy_time(person, service, day, chance)
    if chance.random() < 0.3:
        start = chance.randrange(0, 1200)
        Closure.objects.create(
            business=business,
            first_date=day,
            last_date=day,
            from_minute=start,
            until_minute=start + 120,
            reason="Power cut",
        )
    return service


def _add_table(business: Business, day: date, size: int, chance: random.Random) -> None:
    """A table with hours, a closure and bookings of another service."""
    noon = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
    start, end = window(chance).split("-")
    closed = noon + timedelta(minutes=chance.randrange(-300, 300))
    table = factories.make_resource(
        business,
        capacity=size,
        hours=[{"weekday": weekday, "start": start, "end": end} for weekday in range(7)],
        closures=stored_closures([(closed, closed + timedelta(minutes=50), "")]),
    )
    for hour in range(-10, 10, 4):
        begins = noon + timedelta(hours=hour, minutes=chance.randrange(0, 100))
        factories.reserve(factories.make_appointment(business, start_time=begins), table)


def _own_rules(chance: random.Random) -> dict:
    """Notice, horizon and daily cap of a service, or those of its business."""
    return {
        "minimum_notice_minutes": chance.choice((None, 0, 400)),
        "horizon_days": chance.choice((None, 1, 40)),
        "daily_cap": chance.choice((None, 2, 5)),
    }


def _add_busy_time(person, service, day: date, chance: random.Random) -> None:
    owned = {"business": person.business, "staff": person}
    noon = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
    begins = noon + timedelta(minutes=chance.randrange(-900, 900))
    if chance.random() < 0.5:
        TimeOff.objects.create(start_time=begins, end_time=begins + timedelta(hours=2), **owned)
    if chance.random() < 0.5:
        elsewhere = factories.make_busy_calendar(person)
        busy = begins + timedelta(minutes=chance.randrange(-300, 300))
        times = {"start_time": busy, "end_time": busy + timedelta(minutes=45)}
        CalendarBusyTime.objects.create(calendar=elsewhere, **times, **owned)
    if chance.random() < 0.5:
        weekday, clocks = day.weekday(), factories.minutes_of(window(chance))
        Break.objects.create(weekday=weekday, **clocks, **owned)
    if chance.random() < 0.3:
        DateOverride.objects.create(date=day, **factories.minutes_of(window(chance)), **owned)
    starts = noon - timedelta(hours=14)
    for _ in range(5):
        starts += timedelta(minutes=chance.randrange(service.duration_minutes + 60, 500))
        is_shared = service.is_class and chance.random() < 0.8
        for _ in range(chance.randrange(1, 4) if is_shared else 1):
            factories.make_appointment(
                service=service,
                staff=person,
                start_time=starts,
                party_size=chance.randrange(1, 3) if is_shared else 1,
                is_shared=is_shared,
            )


def bookable(client, body) -> bool:
    """Whether POST says 201; what it made is rolled back."""
    status = None
    try:
        with transaction.atomic():
            response = client.post(URL, body)
            status = response.status_code
            raise Undo
    except Undo:
        pass
    assert status in (201, 409, 422), response.json()
    return status == 201


class TestSlotsAndBookings:
    """With a grid of one minute each minute of the day is on it."""

    @pytest.mark.parametrize(("zone", "day"), DAYS)
    def test_a_time_is_offered_exactly_when_it_can_be_booked(self, client, business, zone, day):
        self.check(client, business, zone, day, random.Random(f"{zone} {day}"))

    @pytest.mark.parametrize("party", (1, 3))
    @pytest.mark.parametrize(("zone", "day"), DAYS[1:4])
    def test_a_class_is_offered_exactly_when_it_takes_the_party(
        self, client, business, zone, day, party
    ):
        chance = random.Random(f"{zone} {day} {party}")
        self.check(client, business, zone, day, chance, capacity=5, party=party)

    @pytest.mark.parametrize("party", (1, 2))
    @pytest.mark.parametrize(("zone", "day"), DAYS[2:5])
    def test_a_time_is_offered_exactly_when_a_table_is_free(
        self, client, business, zone, day, party
    ):
        chance = random.Random(f"{zone} {day} {party}")
        self.check(client, business, zone, day, chance, party=party, tables=2)

    @pytest.mark.parametrize(("capacity", "party"), ((1, 1), (1, 2), (2, 1), (2, 2)))
    @pytest.mark.parametrize(("zone", "day"), DAYS[::2])
    def test_a_table_is_offered_without_staff_exactly_when_it_can_be_booked(
        self, client, business, zone, day, capacity, party
    ):
        chance = random.Random(f"{zone} {day} {capacity} {party}")
        values = {"capacity": capacity, "party": party, "tables": 3, "needs_staff": False}
        self.check(client, business, zone, day, chance, **values)

    def check(
        self,
        client,
        business,
        zone,
        day,
        chance,
        *,
        capacity=1,
        party=1,
        tables=0,
        needs_staff=True,
    ):
        Business.objects.update(timezone=zone)
        business.refresh_from_db()
        service = furnish(business, day, chance, capacity, tables)
        if not needs_staff:
            _book_tables(service, day, chance)
        body = {"customer_id": factories.make_customer(business).pk, "service_id": service.pk}
        body |= {"party_size": party}
        noon = start_at(day, "12:00", ZoneInfo(zone))
        with time_machine.travel(noon - timedelta(hours=chance.randrange(8, 30))):
            query = {"service_id": service.pk, "date": day.isoformat(), "party_size": party}
            slots = client.get(f"{URL}/slots", query).json()["data"]
            for person in service.staff.all() if needs_staff else [None]:
                offered = {
                    slot["start_time"]
                    for slot in slots
                    if person is None or person.pk in {one["id"] for one in slot["staff"]}
                }
                with_staff = {"staff_id": person.pk} if person else {}
                for start in _minutes_to_try(offered, noon, chance):
                    accepted = bookable(client, body | with_staff | {"start_time": start})
                    assert accepted == (start in offered), start


def _book_tables(service: Service, day: date, chance: random.Random) -> None:
    """Makes `service` one that needs no staff, with appointments and holds of its own."""
    Service.objects.filter(pk=service.pk).update(needs_staff=False)
    service.refresh_from_db()
    noon = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
    for table in Resource.objects.filter(business=service.business, capacity__gte=2):
        for hour in range(-12, 12, 6):
            start = noon + timedelta(hours=hour, minutes=chance.randrange(0, 90))
            values = {"start_time": start, "is_shared": service.is_class}
            booked = factories.make_appointment(service=service, **values)
            try:
                with transaction.atomic():
                    factories.reserve(booked, table)
            except IntegrityError:  # the table is booked then
                booked.delete()


def _minutes_to_try(offered: set[str], noon: datetime, chance: random.Random) -> list[str]:
    """The minutes of that day at which bookability changes, and some others."""
    day = [f"{noon + timedelta(minutes=by):%Y-%m-%dT%H:%M:%SZ}" for by in range(-660, 660)]
    edges = [
        minute
        for before, after in pairwise(day)
        if (before in offered) != (after in offered)
        for minute in (before, after)
    ]
    return chance.sample(edges, min(8, len(edges))) + chance.sample(day, 2)
