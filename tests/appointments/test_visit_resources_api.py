"""Visits whose services require resources: a chair is blocked by the visit as its staff are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appointments.models import ResourceBooking
from tests import factories
from tests.appointments.conftest import times

URL = "/api/v1/visits"
APPOINTMENTS = "/api/v1/appointments"
DAY = "2026-03-03"

pytestmark = pytest.mark.django_db


@pytest.fixture
def salon(clinic):
    """Cut (30 minutes) by Ana, colour (60) by Bea, each with a chair and with buffers of 20 and 40
    minutes; dry (30) by Cleo, with a chair alone. There is one chair."""
    business = clinic.business
    values = {"resource_kinds": ["chair"], "buffer_before_minutes": 20, "buffer_after_minutes": 40}
    clinic.cut = factories.make_service(business, name="Cut", **values)
    clinic.colour = factories.make_service(business, name="Colour", duration_minutes=60, **values)
    clinic.dry = factories.make_service(business, name="Dry", resource_kinds=["chair"])
    clinic.ana = factories.make_staff(business, name="Ana", services=[clinic.cut])
    clinic.bea = factories.make_staff(business, name="Bea", services=[clinic.colour])
    clinic.cleo = factories.make_staff(business, name="Cleo", services=[clinic.dry])
    clinic.chair = factories.make_resource(business, "chair").pk
    return clinic


@pytest.fixture
def book(client, salon):
    def post(clock: str = "10:00", services=None):
        chosen = services or [salon.cut, salon.colour]
        body = {
            "customer_id": salon.customer.pk,
            "services": [{"service_id": one.pk} for one in chosen],
            "appointment_date": DAY,
            "appointment_time": clock,
        }
        return client.post(URL, body)

    return post


@pytest.fixture
def dry_at(client, salon):
    """The status of a booking of another customer at the chair."""

    def post(clock: str) -> int:
        body = salon.booking(clock, day=DAY, service_id=salon.dry.pk)
        response = client.post(APPOINTMENTS, body)
        if response.status_code == 201:
            client.delete(f"{APPOINTMENTS}/{response.json()['data']['id']}")
        return response.status_code

    return post


def blocked() -> list[str]:
    """The blocked ranges of the resources, in Kolkata."""
    zone = factories.Business.objects.get(slug="smile").zone
    return [
        f"{row.busy_start.astimezone(zone):%H:%M}-{row.busy_end.astimezone(zone):%H:%M}"
        for row in ResourceBooking.objects.not_cancelled().order_by("resource", "busy_start")
    ]


class TestBook:
    def test_one_chair_for_services_of_different_people(self, client, salon, book, dry_at):
        query = {"service_ids": f"{salon.cut.pk},{salon.colour.pk}", "date": DAY}
        assert "10:00" in times(client.get(f"{URL}/slots", query))
        booked = book().json()["data"]["appointments"]
        assert [one["resource_ids"] for one in booked] == [[salon.chair]] * 2
        # No buffer between cut and colour; before and after them as always.
        assert blocked() == ["09:40-10:30", "10:30-12:10"]
        assert [dry_at(one) for one in ("09:15", "12:00", "09:10", "12:10")] == [409, 409, 201, 201]

    def test_the_chair_has_its_buffer_where_the_person_goes_on_without_it(
        self, salon, book, dry_at
    ):
        salon.colour.resource_kinds = []
        salon.colour.save()
        salon.bea.services.add(salon.cut)
        booked = book().json()["data"]["appointments"]
        assert {one["staff_name"] for one in booked} == {"Bea"}
        assert blocked() == ["09:40-11:10"]
        assert [dry_at(one) for one in ("10:30", "11:10")] == [409, 201]


class TestMove:
    @pytest.fixture
    def at_once(self, client, salon, book):
        """A visit whose cut and colour have been moved to the same time, one chair each."""
        salon.second = factories.make_resource(salon.business, "chair").pk
        visit = book().json()["data"]
        colour = visit["appointments"][1]["id"]
        moved = client.patch(f"{APPOINTMENTS}/{colour}", {"start_time": visit["start_time"]})
        assert moved.json()["data"]["resource_ids"] == [salon.second]
        return f"{URL}/{visit['id']}"

    def move(self, client, url, clock: str, **more):
        return client.patch(url, {"appointment_date": DAY, "appointment_time": clock, **more})

    def test_gives_services_at_the_same_time_different_chairs(self, client, salon, at_once):
        moved = self.move(client, at_once, "14:00").json()["data"]["appointments"]
        assert sorted(one["resource_ids"] for one in moved) == [[salon.chair], [salon.second]]
        assert {one["appointment_time"] for one in moved} == {"14:00"}

    def test_offers_what_can_be_booked_where_a_chair_is_missing(self, client, salon, at_once):
        start = datetime(2026, 3, 3, 14, tzinfo=salon.business.zone).astimezone(UTC)
        busy = factories.make_appointment(service=salon.dry, staff=salon.cleo, start_time=start)
        factories.reserve(busy, factories.Resource.objects.get(pk=salon.chair))
        refused = self.move(client, at_once, "13:45")
        assert refused.json()["code"] == "slot_unavailable"
        # Until 14:30 one chair is left, and 20 minutes before a cut no other customer is in it.
        offered = [one["time"] for one in refused.json()["meta"]["alternatives"]]
        assert offered == ["15:00", "15:15", "15:30"]
        assert self.move(client, at_once, "14:45").status_code == 409
        assert self.move(client, at_once, "15:00").status_code == 200

    def test_offers_nothing_to_one_person_for_two_services_at_once(self, client, salon, at_once):
        salon.bea.services.add(salon.cut)
        refused = client.patch(at_once, {"staff_id": salon.bea.pk}).json()
        assert (refused["code"], refused["meta"]["alternatives"]) == ("slot_unavailable", [])
