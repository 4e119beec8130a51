"""`slots` and bookings agree: a time of the grid is offered exactly when it can be booked."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import transaction

from appointments.local_start import start_at
from kaivox.businesses.models import Business
from services.models import Service
from staff.clock import format_clock
from staff.models import Break, Closure, DateOverride, TimeOff
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
    """Takes a trial booking back."""


def window(chance: random.Random) -> str:
    start = chance.randrange(0, 1380, 15)
    return f"{format_clock(start)}-{format_clock(min(1440, start + chance.randrange(60, 900, 15)))}"


def furnish(business: Business, day: date, chance: random.Random) -> Service:
    """A business with two people and whatever may stand in the way round `day`."""
    Business.objects.filter(pk=business.pk).update(
        slot_interval_minutes=1,
        minimum_notice_minutes=chance.choice((0, 0, 90)),
        horizon_days=chance.choice((1, 30)),
        daily_cap_per_staff=chance.choice((None, None, 2)),
    )
    business.refresh_from_db()
    service = factories.make_service(
        business,
        duration_minutes=chance.choice((15, 30, 60, 240)),
        buffer_before_minutes=chance.choice((0, 10)),
        buffer_after_minutes=chance.choice((0, 20)),
    )
    for _ in range(2):
        person = factories.make_staff(
            business, services=[service], hours=[window(chance) for _ in range(2)]
        )
        _stand_in_the_way(person, service, day, chance)
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


def _stand_in_the_way(person, service, day: date, chance: random.Random) -> None:
    owned = {"business": person.business, "staff": person}
    noon = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
    begins = noon + timedelta(minutes=chance.randrange(-900, 900))
    if chance.random() < 0.5:
        TimeOff.objects.create(start_time=begins, end_time=begins + timedelta(hours=2), **owned)
    if chance.random() < 0.5:
        weekday, clocks = day.weekday(), factories.minutes_of(window(chance))
        Break.objects.create(weekday=weekday, **clocks, **owned)
    if chance.random() < 0.3:
        DateOverride.objects.create(date=day, **factories.minutes_of(window(chance)), **owned)
    starts = noon - timedelta(hours=14)
    for _ in range(5):
        starts += timedelta(minutes=chance.randrange(service.duration_minutes + 60, 500))
        factories.make_appointment(service=service, staff=person, start_time=starts)


def bookable(client, body) -> bool:
    """Whether POST says 201; what it made is taken back."""
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


class TestOneTruth:
    """With a grid of one minute each minute of the day is on it."""

    @pytest.mark.parametrize(("zone", "day"), DAYS)
    def test_a_time_is_offered_exactly_when_it_can_be_booked(self, client, business, zone, day):
        chance = random.Random(f"{zone} {day}")
        Business.objects.update(timezone=zone)
        business.refresh_from_db()
        service = furnish(business, day, chance)
        body = {"customer_id": factories.make_customer(business).pk, "service_id": service.pk}
        noon = start_at(day, "12:00", ZoneInfo(zone))
        with time_machine.travel(noon - timedelta(hours=chance.randrange(8, 30))):
            query = {"service_id": service.pk, "date": day.isoformat()}
            slots = client.get(f"{URL}/slots", query).json()["data"]
            for person in service.staff.all():
                offered = {
                    slot["start_time"]
                    for slot in slots
                    if person.pk in {one["id"] for one in slot["staff"]}
                }
                for start in _telling_minutes(offered, noon, chance):
                    told = bookable(client, body | {"staff_id": person.pk, "start_time": start})
                    assert told == (start in offered), start


def _telling_minutes(offered: set[str], noon: datetime, chance: random.Random) -> list[str]:
    """Minutes of that day at which the answer changes, and some others."""
    day = [f"{noon + timedelta(minutes=by):%Y-%m-%dT%H:%M:%SZ}" for by in range(-660, 660)]
    edges = [
        minute
        for before, after in pairwise(day)
        if (before in offered) != (after in offered)
        for minute in (before, after)
    ]
    return chance.sample(edges, min(8, len(edges))) + chance.sample(day, 2)
