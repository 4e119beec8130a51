"""Classes: appointments that share a member of staff and a start, for parties."""

from __future__ import annotations

import pytest

from appointments.models import Appointment
from kaivox.businesses.models import Business
from services.models import Service
from tests import factories
from tests.appointments.conftest import Clinic

URL = "/api/v1/appointments"


@pytest.fixture
def yoga(clinic) -> Clinic:
    """The clinic, whose service takes five people at one start."""
    Service.objects.filter(pk=clinic.service.pk).update(capacity=5)
    clinic.service.refresh_from_db()
    return clinic


@pytest.fixture
def book(client, yoga):
    def post(clock: str = "10:00", **more):
        return client.post(URL, yoga.booking(clock, **more))

    return post


@pytest.fixture
def seats(client, yoga):
    """The seats left by time, of the slots of the day."""

    def get(**query) -> dict[str, int]:
        response = client.get(f"{URL}/slots", yoga.slots(**query))
        assert response.status_code == 200, response.json()
        return {slot["time"]: slot["seats_left"] for slot in response.json()["data"]}

    return get


def code_of(response) -> str | int:
    return response.json().get("code", response.status_code)


class TestSeats:
    def test_are_shared_by_appointments_of_one_start(self, book, seats, yoga):
        assert seats()["10:00"] == 5
        first, second = book(party_size=2).json()["data"], book().json()["data"]
        assert (first["party_size"], second["party_size"]) == (2, 1)
        assert {first["staff_id"], second["staff_id"]} == {yoga.staff.pk}
        found = seats()
        assert found["10:00"] == 2
        # Another start would overlap the class.
        assert ("09:45" not in found, "10:15" not in found, found["10:30"]) == (True, True, 5)

    @pytest.mark.parametrize(
        ("booked", "party", "expected"),
        (
            ((), 5, 201),
            ((), 6, "party_too_large"),
            ((4,), 1, 201),
            ((4,), 2, "slot_unavailable"),
            ((2, 3), 1, "slot_unavailable"),
        ),
    )
    def test_are_bookable_exactly_when_slots_say_so(
        self, client, yoga, book, booked, party, expected
    ):
        for size in booked:
            assert book(party_size=size).status_code == 201
        query = yoga.slots(party_size=party)
        slots = client.get(f"{URL}/slots", query)
        assert code_of(book(party_size=party)) == expected
        if expected == "party_too_large":
            assert code_of(slots) == expected
            assert list(slots.json()["errors"]) == ["party_size"]
        else:
            offered = "10:00" in {slot["time"] for slot in slots.json()["data"]}
            assert offered == (expected == 201)

    def test_are_those_of_the_fullest_choice_of_staff(self, client, yoga, book, seats):
        other = factories.make_staff(yoga.business, services=[yoga.service])
        book(party_size=2, staff_id=other.pk)
        assert seats()["10:00"] == 5
        assert seats(staff_id=other.pk)["10:00"] == 3
        # A class that has begun to fill is filled first.
        assert [book(party_size=size).json()["data"]["staff_id"] for size in (2, 1, 1)] == [
            other.pk, other.pk, yoga.staff.pk,
        ]  # fmt: skip

    def test_off_the_grid_are_slots_too(self, book, seats):
        book("10:07")
        assert seats()["10:07"] == 4
        assert "10:00" not in seats()

    def test_are_unknown_without_a_class(self, client, clinic):
        slot = client.get(f"{URL}/slots", clinic.slots()).json()["data"][0]
        assert "seats_left" not in slot
        response = client.post(URL, clinic.booking(party_size=2))
        assert code_of(response) == "party_too_large"

    @pytest.mark.parametrize("size", (0, 501, "2", True))
    def test_need_a_party_of_people(self, book, size):
        assert list(book(party_size=size).json()["errors"]) == ["party_size"]

    def test_cost_one_query_more(self, client, yoga, django_assert_num_queries):
        query = yoga.slots()
        client.get(f"{URL}/slots", query)
        with django_assert_num_queries(6):
            client.get(f"{URL}/slots", query)


class TestChanges:
    def test_free_and_take_seats(self, client, book, seats):
        first, second = (book(party_size=2).json()["data"]["id"] for _ in range(2))
        assert seats()["10:00"] == 1
        assert client.delete(f"{URL}/{first}").status_code == 200
        assert seats()["10:00"] == 3
        assert client.patch(f"{URL}/{second}", {"party_size": 5}).status_code == 200
        assert "10:00" not in seats()
        third = book("12:00").json()["data"]["id"]
        for change in ({"start_time": "2026-03-02T04:30:00Z"}, {"party_size": 6}):
            assert client.patch(f"{URL}/{third}", change).status_code in (409, 422)
        assert seats()["12:00"] == 4
        moved = client.patch(f"{URL}/{second}", {"start_time": "2026-03-02T06:30:00Z"})
        assert code_of(moved) == "slot_unavailable"
        smaller = {"start_time": "2026-03-02T06:30:00Z", "party_size": 4}
        assert client.patch(f"{URL}/{second}", smaller).json()["data"]["party_size"] == 4
        assert "12:00" not in seats()

    def test_leave_stored_appointments_as_they_are(self, client, yoga, book, seats):
        assert book(party_size=4).status_code == 201
        yoga.service.capacity = 2
        yoga.service.save()
        assert code_of(book()) == "slot_unavailable"
        assert "10:00" not in seats()
        yoga.service.capacity = 1
        yoga.service.save()
        assert code_of(book()) == "slot_unavailable"

    def test_do_not_share_what_was_booked_as_a_single(self, client, clinic):
        assert client.post(URL, clinic.booking()).status_code == 201
        Service.objects.update(capacity=5)
        assert code_of(client.post(URL, clinic.booking())) == "slot_unavailable"

    def test_keep_another_service_out(self, client, yoga, book):
        book()
        other = factories.make_service(yoga.business, capacity=5)
        yoga.staff.services.add(other)
        assert code_of(book(service_id=other.pk)) == "slot_unavailable"


class TestDailyCap:
    def test_counts_a_class_once(self, yoga, book, seats):
        Business.objects.update(daily_cap_per_staff=1)
        assert [book(party_size=2).status_code for _ in range(2)] == [201, 201]
        assert seats() == {"10:00": 1}
        assert code_of(book("12:00")) == "slot_unavailable"


class TestHolds:
    def test_take_seats_and_are_booked_for_their_party(self, client, yoga, book, seats):
        body = {
            "service_id": yoga.service.pk, "start_time": "2026-03-02T04:30:00Z", "party_size": 3,
        }  # fmt: skip
        hold = client.post(f"{URL}/holds", body).json()["data"]
        assert hold["party_size"] == 3
        assert seats()["10:00"] == 2
        assert code_of(client.post(f"{URL}/holds", body)) == "slot_unavailable"
        assert book(party_size=2).status_code == 201
        booked = book(hold_id=hold["id"]).json()["data"]
        assert booked["party_size"] == 3
        assert Appointment.objects.filter(is_shared=True).count() == 2
