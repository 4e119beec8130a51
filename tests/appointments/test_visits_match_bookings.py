"""Slots of visits and bookings of visits agree, with each other and with a brute-force oracle."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import transaction

from appointments.models import Appointment
from appointments.wall_time import start_at
from kaivox.businesses.models import Business
from staff.models import Break, WorkingHours
from tests import factories
from tests.appointments.conftest import overlaps
from tests.appointments.oracle import EPOCH, Oracle, World, local_day

DAYS = (
    ("Asia/Kolkata", date(2026, 3, 2)),
    ("America/New_York", date(2026, 3, 8)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Kathmandu", date(2026, 5, 5)),
)
URL = "/api/v1/visits"


class Undo(Exception):
    """Rolls a trial booking back."""


def furnish(business, day: date, chance: random.Random):
    """Two or three services, and three people who offer some of them, with bookings on `day`."""
    Business.objects.filter(pk=business.pk).update(
        slot_interval_minutes=1,
        minimum_notice_minutes=chance.choice((0, 90)),
        daily_cap_per_staff=chance.choice((None, 2, 3)),
    )
    business.refresh_from_db()
    offered = [
        factories.make_service(
            business,
            duration_minutes=chance.choice((15, 30, 75)),
            buffer_before_minutes=chance.choice((0, 10, 40)),
            buffer_after_minutes=chance.choice((0, 20, 40)),
            daily_cap=chance.choice((None, None, 1, 2)),
        )
        for _ in range(2)
    ]
    # The third may be one of the others again.
    services = [*offered, *chance.sample(offered, chance.choice((0, 1)))]
    noon = start_at(day, "12:00", business.zone)
    for number in range(3):
        able = chance.sample(offered, chance.randrange(1, 3)) if number else offered
        opens = chance.randrange(8, 13)
        person = factories.make_staff(
            business, services=able, hours=[f"{opens:02}:00-{opens + 5:02}:30"]
        )
        if chance.random() < 0.5:
            gap = {"start_minute": opens * 60 + 90, "end_minute": opens * 60 + 105}
            Break.objects.create(business=business, staff=person, weekday=day.weekday(), **gap)
        if chance.random() < 0.8:
            start = noon + timedelta(minutes=chance.randrange(-180, 180))
            factories.make_appointment(service=able[0], staff=person, start_time=start)
    return services


def oracle_of(business, services, day: date, now: int):
    """Whether a visit can be booked at a minute: by every choice of people, minute by minute."""

    def minutes(instant) -> int:
        return int((instant - EPOCH).total_seconds()) // 60

    def world(person, service) -> World:
        hours = WorkingHours.objects.filter(staff=person)
        breaks = Break.objects.filter(staff=person)
        booked = Appointment.objects.filter(staff=person)
        columns = ("weekday", "start_minute", "end_minute")
        return World(
            zone=business.timezone,
            now=now,
            duration=service.duration_minutes,
            before=service.buffer_before_minutes,
            after=service.buffer_after_minutes,
            notice=business.minimum_notice_minutes,
            cap=business.daily_cap_per_staff,
            hours=list(hours.values_list(*columns)),
            breaks=list(breaks.values_list(*columns)),
            busy=[tuple(map(minutes, (b.start_time, b.busy_start, b.busy_end))) for b in booked],
        )

    people = [list(service.staff.all()) for service in services]
    oracles = {
        (person.pk, service.pk): Oracle(world(person, service), day, day)
        for service, able in zip(services, people, strict=True)
        for person in able
    }

    booked = Counter(
        (row.service_id, local_day(business.timezone, minutes(row.start_time)))
        for row in Appointment.objects.all()
    )

    def is_over(service, on, number) -> bool:
        cap = service.daily_cap
        return cap is not None and booked[service.pk, on] + number > cap

    def choices(minute: int):
        for chosen in product(*people):
            begins, per_day, of_service = minute, Counter(), Counter()
            for service, person in zip(services, chosen, strict=True):
                oracle = oracles[person.pk, service.pk]
                if not oracle.is_bookable(begins):
                    break
                on = local_day(business.timezone, begins)
                per_day[person.pk, on] += 1
                cap = business.daily_cap_per_staff
                of_service[service.pk, on] += 1
                if cap and oracle.per_day[on] + per_day[person.pk, on] > cap:
                    break
                if is_over(service, on, of_service[service.pk, on]):
                    break
                begins += service.duration_minutes
            else:
                yield tuple(person.pk for person in chosen)

    return choices


@pytest.mark.django_db
class TestSlotsAndBookings:
    @pytest.mark.parametrize("seed", range(2))
    @pytest.mark.parametrize(("zone", "day"), DAYS)
    def test_agree_with_the_oracle(self, client, business, zone, day, seed):
        chance = random.Random(f"{zone} {seed}")
        Business.objects.update(timezone=zone)
        business.refresh_from_db()
        services = furnish(business, day, chance)
        noon = start_at(day, "12:00", ZoneInfo(zone))
        now = noon - timedelta(hours=chance.randrange(1, 20))
        with time_machine.travel(now, tick=False):
            query = {"service_ids": ",".join(str(one.pk) for one in services), "date": day}
            slots = client.get(f"{URL}/slots", query).json()["data"]
            offered = {slot["start_time"]: slot for slot in slots}
            choices = oracle_of(business, services, day, int((now - EPOCH).total_seconds()) // 60)
            first = int((noon - EPOCH).total_seconds()) // 60
            expected = {}
            for minute in range(first - 300, first + 420):
                if found := set(choices(minute)):
                    start = EPOCH + timedelta(minutes=minute)
                    expected[f"{start:%Y-%m-%dT%H:%M:%SZ}"] = found
            assert offered.keys() == expected.keys()
            for start, slot in offered.items():
                staff = [{one["id"] for one in part["staff"]} for part in slot["services"]]
                assert staff == [set(able) for able in zip(*expected[start], strict=True)]
            self.check_bookings(client, business, services, expected, noon, chance)

    def check_bookings(self, client, business, services, expected, noon, chance):
        customer = factories.make_customer(business)
        body = {
            "customer_id": customer.pk,
            "services": [{"service_id": one.pk} for one in services],
        }
        starts = [f"{noon + timedelta(minutes=by):%Y-%m-%dT%H:%M:%SZ}" for by in range(-240, 240)]
        tried = chance.sample(starts, 3) + chance.sample(sorted(expected), min(4, len(expected)))
        for start in tried:
            try:
                with transaction.atomic():
                    response = client.post(URL, body | {"start_time": start})
                    assert (response.status_code == 201) == (start in expected), response.json()
                    if start in expected:
                        booked = response.json()["data"]["appointments"]
                        assert tuple(one["staff_id"] for one in booked) in expected[start]
                        assert overlaps() == 0
                    raise Undo
            except Undo:
                pass
