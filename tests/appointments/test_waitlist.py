"""The waiting list: a freed time is held for the first who fits; unanswered, it goes to the next."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from appointments.models import Hold
from appointments.waitlist import operations as waitlist
from appointments.waitlist.models import WaitlistEntry
from customers.operations import erase_customer
from kaivox.businesses.models import AuditEntry, Business
from tests import factories
from tests.appointments.conftest import event_types
from webhooks.models import Event

pytestmark = pytest.mark.django_db

URL = "/api/v1/waitlist"
APPOINTMENTS = "/api/v1/appointments"
DAY = "2026-03-02"


@pytest.fixture
def day_long(clinic):
    """A service that takes the whole day of the dentist: one slot a day, at 09:00."""
    service = factories.make_service(clinic.business, name="Workshop", duration_minutes=480)
    clinic.staff.services.add(service)
    return service


@pytest.fixture
def booked(client, clinic, day_long):
    """The slot of Monday is taken."""
    body = clinic.booking("09:00") | {"service_id": day_long.pk}
    return client.post(APPOINTMENTS, body).json()["data"]


@pytest.fixture
def join(client, clinic, day_long):
    def join(name: str = "Ravi", **more) -> dict:
        customer = factories.make_customer(clinic.business, name=name)
        body = {"customer_id": customer.pk, "service_id": day_long.pk, "date_from": DAY}
        response = client.post(URL, body | more)
        assert response.status_code == 201, response.json()
        return response.json()["data"]

    return join


def offer() -> int:
    return waitlist.offer_free_times(now=timezone.now())


def status(client, entry: dict) -> str:
    return client.get(f"{URL}/{entry['id']}").json()["data"]["status"]


class TestJoin:
    def test_shows_what_is_waited_for(self, client, clinic, day_long, booked):
        body = {
            "customer_id": clinic.customer.pk,
            "service_id": day_long.pk,
            "staff_id": clinic.staff.pk,
            "date_from": DAY,
            "date_to": "2026-03-06",
            "part_of_day": "morning",
        }
        response = client.post(URL, body)
        assert response.status_code == 201
        data = response.json()["data"]
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert data == {
            "id": data["id"],
            "customer_id": clinic.customer.pk,
            "customer_name": "Asha Rao",
            "service_id": day_long.pk,
            "service": "Workshop",
            "staff_id": clinic.staff.pk,
            "staff_name": "Dr. Meera Nair",
            "date_from": DAY,
            "date_to": "2026-03-06",
            "part_of_day": "morning",
            "party_size": 1,
            "timezone": "Asia/Kolkata",
            "status": "waiting",
            "hold_id": None,
            "offered_start_time": None,
            "offered_staff_id": None,
            "offered_staff_name": None,
            "offer_expires_at": None,
            "unanswered_offers": 0,
            "created_at": "2026-03-02T00:30:00Z",
            "updated_at": "2026-03-02T00:30:00Z",
        }
        assert client.get(URL).json()["data"] == [data]

    @pytest.mark.parametrize(
        ("more", "field"),
        (
            ({"date_from": "2026-03-05", "date_to": "2026-03-04"}, "date_to"),
            ({"date_from": "2026-02-27", "date_to": "2026-03-01"}, "date_to"),
            ({"date_from": DAY, "date_to": "2026-04-02"}, "date_to"),
            ({"date_from": "2026-03-01"}, "date_from"),
            ({"part_of_day": "night"}, "part_of_day"),
            ({"date_from": "tomorrow"}, "date_from"),
            ({"service_id": 0}, "service_id"),
            ({"party_size": 0}, "party_size"),
            ({"party_size": 2}, "party_size"),
        ),
    )
    def test_rejects_impossible_days(self, client, clinic, day_long, more, field):
        body = {"customer_id": clinic.customer.pk, "service_id": day_long.pk, "date_from": DAY}
        response = client.post(URL, body | more)
        assert response.status_code == 422
        assert list(response.json()["errors"]) == [field]
        assert not WaitlistEntry.objects.exists()

    def test_once_per_customer_and_service(self, client, booked, join):
        entry = join()
        body = {name: entry[name] for name in ("customer_id", "service_id", "date_from")}
        response = client.post(URL, body)
        assert (response.status_code, response.json()["code"]) == (409, "already_waiting")
        client.delete(f"{URL}/{entry['id']}")
        assert client.post(URL, body).status_code == 201

    def test_is_limited(self, client, booked, join, monkeypatch):
        monkeypatch.setattr(waitlist, "MAX_OPEN_ENTRIES", 1)
        entry = join()
        body = {"customer_id": booked["customer_id"], "service_id": entry["service_id"]}
        response = client.post(URL, body | {"date_from": DAY})
        assert (response.status_code, response.json()["code"]) == (409, "waitlist_full")


class TestOffer:
    def test_nothing_while_nothing_is_free(self, client, booked, join):
        entry = join()
        assert offer() == 0
        assert status(client, entry) == "waiting"
        assert "waitlist.offered" not in event_types()

    def test_a_freed_time_is_held_for_the_first(self, client, clinic, booked, join, frozen):
        first, second = join("Ravi"), join("Mina")
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        assert offer() == 1
        data = client.get(f"{URL}/{first['id']}").json()["data"]
        assert data["status"] == "offered"
        assert data["offered_start_time"] == "2026-03-02T03:30:00Z"
        assert data["offered_staff_name"] == "Dr. Meera Nair"
        assert data["offer_expires_at"] == "2026-03-02T01:00:00Z"
        assert status(client, second) == "waiting"
        assert json.loads(Event.objects.get(type="waitlist.offered").body)["data"] == data
        # Another customer cannot book it, and the next run offers nothing.
        same = clinic.booking("09:00") | {"service_id": first["service_id"]}
        assert client.post(APPOINTMENTS, same).status_code == 409
        assert offer() == 0
        with_hold = {
            "customer_id": first["customer_id"],
            "service_id": first["service_id"],
            "hold_id": data["hold_id"],
        }
        assert client.post(APPOINTMENTS, with_hold).status_code == 201
        assert status(client, first) == "booked"
        assert status(client, second) == "waiting"

    def test_unanswered_it_goes_to_the_next(self, client, booked, join, frozen):
        first, second = join("Ravi"), join("Mina")
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        offer()
        frozen.shift(timedelta(minutes=31))
        assert offer() == 1
        assert (status(client, first), status(client, second)) == ("waiting", "offered")
        assert client.get(f"{URL}/{first['id']}").json()["data"]["unanswered_offers"] == 1

    def test_the_same_time_is_not_offered_twice_to_one(self, client, booked, join, frozen):
        entry = join()
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        offer()
        frozen.shift(timedelta(minutes=31))
        assert offer() == 0
        assert status(client, entry) == "waiting"

    def test_ends_after_three_unanswered_offers(self, client, booked, join, frozen):
        entry = join(date_to="2026-03-08")
        for _ in range(3):
            assert offer() == 1
            frozen.shift(timedelta(minutes=31))
        assert offer() == 0
        assert status(client, entry) == "expired"

    def test_who_does_not_answer_comes_after_all_others(self, client, clinic, booked, join, frozen):
        """No entry is passed over: each of five gets the one time in turn, in order of joining."""
        entries = [join(str(number), date_to="2026-03-03") for number in range(5)]
        client.post(  # Tuesday is taken as well, so that Monday is the only time
            APPOINTMENTS,
            clinic.booking("09:00", "2026-03-03") | {"service_id": booked["service_id"]},
        )
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        served = []
        for _ in entries:
            assert offer() == 1
            served.append(WaitlistEntry.objects.get(status="offered").pk)
            frozen.shift(timedelta(minutes=31))
        assert served == [entry["id"] for entry in entries]

    @pytest.mark.parametrize(
        ("more", "offers"),
        (
            ({"part_of_day": "morning", "date_to": "2026-03-03"}, 1),
            ({"part_of_day": "evening", "date_to": "2026-03-03"}, 0),
            ({"date_from": "2026-03-03"}, 1),
            ({"date_from": "2026-04-30", "date_to": "2026-05-02"}, 1),
        ),
    )
    def test_only_what_is_waited_for(self, booked, join, more, offers):
        join(**more)
        assert offer() == offers

    def test_only_the_member_of_staff_who_is_waited_for(self, client, clinic, booked, join):
        other = factories.make_staff(clinic.business, name="Dr. Iyer")
        other.services.add(booked["service_id"])
        for_meera, for_anyone = join(staff_id=clinic.staff.pk), join("Mina")
        assert offer() == 1
        assert (status(client, for_meera), status(client, for_anyone)) == ("waiting", "offered")

    def test_seats_for_the_whole_party(self, client, clinic, booked, join):
        """Of a class with three seats two become free: a party of three waits on, one of two does not."""
        yoga = factories.make_service(clinic.business, duration_minutes=480, capacity=3)
        clinic.staff.services.add(yoga)
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        body = clinic.booking("09:00") | {"service_id": yoga.pk}
        client.post(APPOINTMENTS, body | {"party_size": 1})
        other = client.post(APPOINTMENTS, body | {"party_size": 2}).json()["data"]
        three, two = (join(str(size), service_id=yoga.pk, party_size=size) for size in (3, 2))
        assert offer() == 0
        client.delete(f"{APPOINTMENTS}/{other['id']}")
        assert offer() == 1
        assert (status(client, three), status(client, two)) == ("waiting", "offered")
        assert Hold.objects.get().party_size == 2

    def test_several_times_go_to_several(self, client, booked, join):
        join("Ravi", date_to="2026-03-04"), join("Mina", date_to="2026-03-04")
        assert offer() == 2
        starts = {hold.start_time for hold in Hold.objects.all()}
        assert len(starts) == 2

    def test_a_released_offer_goes_to_the_next(self, client, booked, join):
        first, second = join("Ravi"), join("Mina")
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        offer()
        hold_id = client.get(f"{URL}/{first['id']}").json()["data"]["hold_id"]
        client.delete(f"{APPOINTMENTS}/holds/{hold_id}")
        assert offer() == 1
        assert status(client, second) == "offered"

    def test_an_extended_hold_extends_the_offer(self, client, booked, join, frozen):
        entry = join()
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        offer()
        hold_id = client.get(f"{URL}/{entry['id']}").json()["data"]["hold_id"]
        frozen.shift(timedelta(minutes=29))
        client.patch(f"{APPOINTMENTS}/holds/{hold_id}", {"expires_in_seconds": 900})
        frozen.shift(timedelta(minutes=10))
        offer()
        assert status(client, entry) == "offered"
        shown = client.get(f"{URL}/{entry['id']}").json()["data"]
        assert shown["offer_expires_at"] == "2026-03-02T01:14:00Z"

    def test_an_entry_ends_with_its_last_day(self, client, booked, join, frozen):
        entry = join()
        frozen.shift(timedelta(hours=17))  # 23:00 in Kolkata
        offer()
        assert status(client, entry) == "waiting"
        frozen.shift(timedelta(hours=2))
        offer()
        assert status(client, entry) == "expired"

    def test_an_erased_customer_is_offered_nothing(self, client, clinic, booked, join):
        entry = join(date_to="2026-03-04")
        erase_customer(
            business=clinic.business, customer_id=entry["customer_id"], now=timezone.now()
        )
        assert offer() == 0
        assert status(client, entry) == "cancelled"

    def test_an_inactive_service_is_not_offered(self, client, day_long, booked, join):
        entry = join(date_to="2026-03-04")
        client.patch(f"/api/v1/services/{day_long.pk}", {"is_active": False})
        assert offer() == 0
        assert status(client, entry) == "waiting"

    def test_a_suspended_business_offers_nothing(self, clinic, booked, join):
        join(date_to="2026-03-04")
        Business.objects.update(suspended_at=timezone.now())
        assert offer() == 0

    def test_a_failure_stops_only_its_own_business(
        self, clinic, booked, join, other_business, monkeypatch, caplog
    ):
        join(date_to="2026-03-04")
        service = factories.make_service(other_business)
        factories.make_staff(other_business, services=[service])
        last = timezone.localdate() + timedelta(days=7)
        factories.make_waitlist_entry(other_business, service=service, date_to=last)
        find = waitlist.slots_between

        def fail_for_one(*, business, **values):
            assert business != clinic.business
            return find(business=business, **values)

        monkeypatch.setattr(waitlist, "slots_between", fail_for_one)
        assert offer() == 1
        assert f"Free times of {clinic.business} cannot be offered" in caplog.text


class TestLeave:
    def test_frees_what_is_held(self, client, booked, join):
        entry = join()
        client.delete(f"{APPOINTMENTS}/{booked['id']}")
        offer()
        response = client.delete(f"{URL}/{entry['id']}")
        assert response.status_code == 200
        assert response.json()["data"]["status"] == "cancelled"
        assert response.json()["data"]["hold_id"] is None
        body = {"customer_id": booked["customer_id"], "service_id": booked["service_id"]}
        again = client.post(APPOINTMENTS, body | {"start_time": booked["start_time"]})
        assert again.status_code == 201

    def test_again_changes_nothing(self, client, booked, join):
        entry = join()
        first = client.delete(f"{URL}/{entry['id']}").json()["data"]
        assert client.delete(f"{URL}/{entry['id']}").json()["data"] == first
        assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))[-2:] == [
            "waitlist.joined",
            "waitlist.left",
        ]

    def test_needs_the_version_that_was_seen(self, client, booked, join):
        entry = join()
        response = client.delete(f"{URL}/{entry['id']}", HTTP_IF_MATCH='"old"')
        assert response.status_code == 412


class TestList:
    def test_filters(self, client, booked, join):
        first, second = join("Ravi"), join("Mina")
        client.delete(f"{URL}/{first['id']}")
        for query, expected in (
            ({"status": "waiting"}, [second]),
            ({"customer_id": second["customer_id"]}, [second]),
            ({"service_id": second["service_id"], "status": "waiting,offered"}, [second]),
            ({"service_id": booked["service_id"]}, [first, second]),
        ):
            data = client.get(URL, query).json()["data"]
            assert [row["id"] for row in data] == [row["id"] for row in expected]

    def test_shows_new_names(self, client, booked, join):
        entry = join()
        etag = client.get(URL)["ETag"]
        client.patch(f"/api/v1/customers/{entry['customer_id']}", {"name": "Ravi Iyer"})
        response = client.get(URL, HTTP_IF_NONE_MATCH=etag)
        assert response.json()["data"][0]["customer_name"] == "Ravi Iyer"
