"""Bookings of services that require resources."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appointments.models import Appointment, ResourceBooking
from services.models import Service
from tests import factories
from tests.appointments.conftest import Clinic

URL = "/api/v1/appointments"
TEN = "2026-03-02T04:30:00Z"


@pytest.fixture
def bistro(clinic) -> Clinic:
    """The clinic, whose service requires a table, and three members of staff."""
    Service.objects.filter(pk=clinic.service.pk).update(resource_kinds=["table"])
    clinic.service.refresh_from_db()
    for _ in range(2):
        factories.make_staff(clinic.business, services=[clinic.service])
    return clinic


@pytest.fixture
def tables(bistro) -> dict[str, int]:
    """The ids of the tables, by name."""
    sizes = {"six": 6, "four": 4, "two": 2}
    return {
        name: factories.make_resource(bistro.business, name=name, capacity=size).pk
        for name, size in sizes.items()
    }


@pytest.fixture
def book(client, bistro):
    def post(clock: str = "10:00", **more):
        return client.post(URL, bistro.booking(clock, **more))

    return post


@pytest.fixture
def offered(client, bistro):
    def get(clock: str = "10:00", **query) -> bool:
        response = client.get(f"{URL}/slots", bistro.slots(**query))
        assert response.status_code == 200, response.json()
        return clock in {slot["time"] for slot in response.json()["data"]}

    return get


def code_of(response) -> str | int:
    return response.json().get("code", response.status_code)


def reserved(response) -> list[int]:
    assert response.status_code in (200, 201), response.json()
    return response.json()["data"]["resource_ids"]


class TestChoice:
    def test_is_the_smallest_table_that_takes_the_party(self, book, offered, tables):
        for party, expected in ((2, "two"), (1, "four"), (3, "six")):
            assert offered(party_size=party)
            assert reserved(book(party_size=party)) == [tables[expected]]
        assert not offered()
        assert code_of(book()) == "slot_unavailable"
        # The tables are free again half an hour later.
        assert reserved(book("10:30")) == [tables["two"]]

    def test_of_a_party_larger_than_any_table_is_an_error(self, client, bistro, book, tables):
        slots = client.get(f"{URL}/slots", bistro.slots(party_size=7))
        for response in (slots, book(party_size=7)):
            assert code_of(response) == "party_too_large"
            assert "kind table for 7" in response.json()["message"]
        assert not Appointment.objects.exists()

    def test_of_such_a_party_cannot_be_waited_for(self, client, bistro, tables):
        body = {"customer_id": bistro.customer.pk, "service_id": bistro.service.pk}
        body["date_from"] = "2026-03-03"
        refused = client.post("/api/v1/waitlist", body | {"party_size": 7})
        assert code_of(refused) == "party_too_large"
        assert client.post("/api/v1/waitlist", body | {"party_size": 6}).status_code == 201

    def test_is_one_of_each_kind(self, bistro, book, offered, tables):
        Service.objects.update(resource_kinds=["table", "grill"])
        grill = factories.make_resource(bistro.business, "grill")
        factories.make_resource(bistro.business, "grill", is_active=False)
        assert sorted(reserved(book())) == sorted([tables["two"], grill.pk])
        assert not offered()
        assert code_of(book()) == "slot_unavailable"

    def test_counts_buffers(self, bistro, book, offered):
        factories.make_resource(bistro.business)
        Service.objects.update(buffer_after_minutes=10)
        book()
        assert not offered("10:30")
        assert code_of(book("10:39")) == "slot_unavailable"
        assert book("10:40").status_code == 201


class TestTime:
    @pytest.mark.parametrize(
        ("values", "clock", "expected"),
        (
            ({"hours": [{"weekday": 0, "start": "10:00", "end": "12:00"}]}, "11:30", True),
            ({"hours": [{"weekday": 0, "start": "10:00", "end": "12:00"}]}, "11:45", False),
            ({"hours": [{"weekday": 1, "start": "10:00", "end": "12:00"}]}, "10:00", False),
            (
                {
                    "closures": [
                        {"start_time": TEN, "end_time": "2026-03-02T05:30:00Z", "reason": ""}
                    ]
                },
                "10:30",
                False,
            ),
            (
                {
                    "closures": [
                        {"start_time": TEN, "end_time": "2026-03-02T05:30:00Z", "reason": ""}
                    ]
                },
                "11:00",
                True,
            ),
        ),
    )
    def test_is_bookable_when_the_resource_is_open(
        self, bistro, book, offered, values, clock, expected
    ):
        factories.make_resource(bistro.business, **values)
        assert offered(clock) == expected
        assert (book(clock).status_code == 201) == expected


class TestChanges:
    def test_free_and_reserve_resources(self, client, bistro, book, offered):
        table = factories.make_resource(bistro.business, capacity=4).pk
        booked = book().json()["data"]["id"]
        assert not offered()
        # Its own time does not block it.
        assert reserved(client.patch(f"{URL}/{booked}", {"party_size": 3})) == [table]
        moved = client.patch(f"{URL}/{booked}", {"start_time": "2026-03-02T04:40:00Z"})
        assert reserved(moved) == [table]
        assert code_of(client.patch(f"{URL}/{booked}", {"party_size": 5})) == "party_too_large"
        row = ResourceBooking.objects.get()
        assert (row.appointment_id, f"{row.start_time:%H:%M}") == (booked, "04:40")
        cancelled = client.delete(f"{URL}/{booked}")
        assert reserved(cancelled) == [table]
        assert reserved(book()) == [table]

    def test_keep_the_smallest_table_that_takes_the_party(self, client, book, tables):
        booked = book(party_size=2)
        path = f"{URL}/{booked.json()['data']['id']}"
        assert reserved(booked) == [tables["two"]]
        later = {"start_time": "2026-03-02T04:40:00Z"}
        assert reserved(client.patch(path, later)) == [tables["two"]]

    def test_to_a_service_without_resources_free_them(self, client, bistro, book):
        factories.make_resource(bistro.business)
        booked = book().json()["data"]["id"]
        other = factories.make_service(bistro.business)
        bistro.staff.services.add(other)
        move = {"service_id": other.pk, "staff_id": bistro.staff.pk}
        assert reserved(client.patch(f"{URL}/{booked}", move)) == []
        assert not ResourceBooking.objects.exists()


class TestHolds:
    def test_reserve_a_resource_until_they_end(self, client, bistro, book, offered, frozen):
        table = factories.make_resource(bistro.business).pk
        body = {"service_id": bistro.service.pk, "start_time": TEN}
        hold = client.post(f"{URL}/holds", body).json()["data"]
        assert hold["resource_ids"] == [table]
        assert not offered()
        assert code_of(book()) == "slot_unavailable"
        assert reserved(book(hold_id=hold["id"])) == [table]
        client.post(f"{URL}/holds", body | {"start_time": "2026-03-02T06:30:00Z"})
        assert not offered("12:00")
        frozen.shift(timedelta(minutes=6))
        assert offered("12:00")


class TestClasses:
    @pytest.fixture
    def studios(self, bistro) -> list[int]:
        Service.objects.update(capacity=3, resource_kinds=["studio"])
        return [
            factories.make_resource(bistro.business, "studio", capacity=size).pk
            for size in (2, 3, 20)
        ]

    def test_share_a_resource_that_takes_all_seats(self, bistro, book, offered, studios):
        staff = {"staff_id": bistro.staff.pk}
        assert [reserved(book(**staff)) for _ in range(3)] == [[studios[1]]] * 3
        assert not offered(**staff)
        # Another class needs another studio.
        assert reserved(book()) == [studios[2]]
        assert reserved(book(party_size=2)) == [studios[2]]
        assert not offered()

    def test_need_one_that_takes_all_seats(self, bistro, client, book, studios):
        Service.objects.update(capacity=21)
        assert code_of(book()) == "party_too_large"
        assert code_of(client.get(f"{URL}/slots", bistro.slots())) == "party_too_large"

    def test_take_no_more_once_the_resource_is_closed(self, client, bistro, book, offered, studios):
        staff = {"staff_id": bistro.staff.pk}
        book(**staff)
        assert offered(**staff)
        client.patch(f"/api/v1/resources/{studios[1]}", {"is_active": False})
        assert not offered(**staff)
        assert code_of(book(**staff)) == "slot_unavailable"


def test_slots_need_nine_queries_whatever_the_numbers(
    client, bistro, tables, django_assert_num_queries
):
    Service.objects.update(capacity=2, resource_kinds=["table", "studio"])
    for _ in range(5):
        factories.make_resource(bistro.business, "studio", capacity=2)
    query = bistro.slots() | {"date_from": "2026-03-02", "date_to": "2026-03-31"}
    del query["date"]
    client.get(f"{URL}/slots", query)
    with django_assert_num_queries(9):
        client.get(f"{URL}/slots", query)
