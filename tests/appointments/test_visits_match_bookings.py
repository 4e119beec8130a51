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
from django.utils import timezone

from appointments.models import Appointment, ResourceBooking
from appointments.resources import models as resource_models
from appointments.wall_time import start_at
from kaivox.businesses.models import Business
from services.models import Service
from staff.models import Break, WorkingHours
from tests import factories
from tests.appointments.conftest import overlaps
from tests.appointments.oracle import EPOCH, Oracle, Resource, World, local_day

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
            capacity=chance.choice((1, 1, 3)),
            duration_minutes=chance.choice((15, 30, 75)),
            buffer_before_minutes=chance.choice((0, 10, 40)),
            buffer_after_minutes=chance.choice((0, 20, 40)),
            daily_cap=chance.choice((None, None, 1, 2)),
        )
        for _ in range(2)
    ]
    if chance.random() < 0.7:
        add_chairs(business, offered, day, chance)
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
            for _ in range(2 if able[0].is_class else 1):
                factories.make_appointment(
                    service=able[0], staff=person, start_time=start, is_shared=able[0].is_class
                )
    return services


def add_chairs(business, services, day: date, chance: random.Random) -> None:
    """One or two chairs, in use at some time of the day, which one of `services` or both need; each may
    need a lamp too."""
    noon = start_at(day, "12:00", business.zone)
    for service in chance.sample(services, chance.choice((1, 2, 2))):
        service.resource_kinds = ["chair", *chance.sample(["lamp"], chance.choice((0, 0, 1)))]
        service.save()
    largest = max(service.capacity for service in services)
    for kind in ("chair", "lamp", *chance.sample(["chair"], chance.choice((0, 1)))):
        opens = chance.randrange(8, 11)
        hours = [{"weekday": day.weekday(), "start": f"{opens:02}:10", "end": "17:40"}]
        resource = factories.make_resource(
            business, kind, capacity=chance.choice((largest, 3)), hours=chance.choice(([], hours))
        )
        begins = noon + timedelta(minutes=chance.randrange(-180, 180))
        factories.reserve(factories.make_appointment(business, start_time=begins), resource)


def resources_of(business, without: int | None) -> list[Resource]:
    """All resources, with the bookings of all visits but one."""
    rows = ResourceBooking.objects.exclude(appointment__visit_id=without or 0)
    return [
        Resource(
            kind=one.kind,
            capacity=one.capacity,
            hours=[
                (row["weekday"], *factories.minutes_of(f"{row['start']}-{row['end']}").values())
                for row in one.hours
            ],
            busy=[times_of(row) for row in rows.filter(resource=one)],
        )
        for one in resource_models.Resource.objects.for_business(business)
    ]


def times_of(row) -> tuple[int, int, int]:
    start, busy_start, busy_end = map(minutes, (row.start_time, row.busy_start, row.busy_end))
    return start, busy_start, busy_end


def minutes(instant) -> int:
    return int((instant - EPOCH).total_seconds()) // 60


def oracle_of(business, services, day: date, now: int, party: int, without: int | None = None):
    """Whether a visit can be booked at a minute, or the visit `without` be moved there: by every choice
    of people, minute by minute."""
    appointments = Appointment.objects.exclude(visit_id=without or 0)
    resources = resources_of(business, without)

    def world(person, service) -> World:
        hours = WorkingHours.objects.filter(staff=person)
        breaks = Break.objects.filter(staff=person)
        booked = appointments.filter(staff=person)
        columns = ("weekday", "start_minute", "end_minute")
        joinable = booked.filter(service=service, is_shared=True)
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
            busy=[times_of(row) for row in booked if row not in joinable],
            sessions=[(*times_of(row), row.party_size) for row in joinable],
            capacity=service.capacity,
            party=party,
            kinds=service.resource_kinds,
            resources=resources,
        )

    people = [list(service.staff.all()) for service in services]
    oracles = {
        (person.pk, service.pk): Oracle(world(person, service), day, day)
        for service, able in zip(services, people, strict=True)
        for person in able
    }

    # The appointments of one class are one.
    starts = {
        (row.service_id, row.staff_id, row.start_time, 0 if row.is_shared else row.pk)
        for row in appointments
    }
    booked = Counter(
        (service_id, local_day(business.timezone, minutes(start)))
        for service_id, _, start, _ in starts
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
                if oracle.seats_left(begins) is not None:
                    begins += service.duration_minutes
                    continue  # it counts already
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


def is_plain_class(service) -> bool:
    return service.is_class and not service.resource_kinds


@pytest.mark.django_db
class TestSlotsAndBookings:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize(("zone", "day"), DAYS)
    def test_agree_with_the_oracle(self, client, business, zone, day, seed):
        chance = random.Random(f"{zone} {seed}")
        Business.objects.update(timezone=zone)
        business.refresh_from_db()
        services = furnish(business, day, chance)
        noon = start_at(day, "12:00", ZoneInfo(zone))
        now = noon - timedelta(hours=chance.randrange(1, 20))
        with time_machine.travel(now, tick=False):
            party = chance.choice((1, 2)) if all(map(is_plain_class, services)) else 1
            ids = ",".join(str(one.pk) for one in services)
            query = {"service_ids": ids, "date": day, "party_size": party}
            slots = client.get(f"{URL}/slots", query).json()["data"]
            offered = {slot["start_time"]: slot for slot in slots}
            choices = oracle_of(business, services, day, minutes(now), party)
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
            self.check_bookings(client, business, services, party, expected, noon, chance)

    def check_bookings(self, client, business, services, party, expected, noon, chance):
        customer = factories.make_customer(business)
        body = {
            "customer_id": customer.pk,
            "party_size": party,
            "services": [{"service_id": one.pk} for one in services],
        }
        overlaps_before = overlaps()  # of classes
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
                        assert overlaps() == overlaps_before
                        self.check_resources(booked)
                        self.check_move(client, business, response.json()["data"], noon, chance)
                    raise Undo
            except Undo:
                pass

    def check_resources(self, booked):
        """Each resource is blocked for as long as the appointments that have it block it, with buffers."""
        rows = ResourceBooking.objects.filter(appointment_id__in=[one["id"] for one in booked])
        expected, found = set(), Counter()
        for row in rows.select_related("service"):
            before, after = row.service.buffer_before_minutes, row.service.buffer_after_minutes
            start = minutes(row.start_time)
            blocked = range(start - before, start + row.service.duration_minutes + after)
            expected |= {(row.resource_id, minute) for minute in blocked}
            own = range(minutes(row.busy_start), minutes(row.busy_end))
            found.update((row.resource_id, minute) for minute in own)
        assert found.keys() == expected
        assert set(found.values()) <= {1}

    def check_move(self, client, business, visit, noon, chance):
        """It moves exactly where it could be booked with the same staff, if it were not there."""
        booked = visit["appointments"]
        services = [Service.objects.get(pk=one["service_id"]) for one in booked]
        now = minutes(timezone.now())
        local = noon.astimezone(business.zone).date()
        choices = oracle_of(
            business, services, local, now, booked[0]["party_size"], without=visit["id"]
        )
        for by in chance.sample(range(-240, 240), 2):
            start = noon + timedelta(minutes=by)
            response = client.patch(
                f"{URL}/{visit['id']}", {"start_time": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
            )
            is_free = tuple(one["staff_id"] for one in booked) in set(choices(minutes(start)))
            assert (response.status_code == 200) == is_free, response.json()
