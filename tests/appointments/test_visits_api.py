"""Visits: several services back to back, found, booked, moved and cancelled as one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appointments.groups.models import Visit
from appointments.models import Appointment
from kaivox.businesses.models import Business
from tests import factories
from tests.appointments.conftest import event_types, overlaps, times
from webhooks.models import Event

URL = "/api/v1/visits"
DAY = "2026-03-03"

pytestmark = pytest.mark.django_db


@pytest.fixture
def salon(clinic):
    """Cut (30 minutes) by Ana, colour (60) by Bea until noon, both from 09:00; Cleo is away."""
    business = clinic.business
    clinic.cut = factories.make_service(business, name="Cut")
    clinic.colour = factories.make_service(business, name="Colour", duration_minutes=60)
    clinic.ana = factories.make_staff(business, name="Ana", services=[clinic.cut])
    clinic.bea = factories.make_staff(
        business, name="Bea", services=[clinic.colour], hours=["09:00-12:00"]
    )
    clinic.query = {"service_ids": f"{clinic.cut.pk},{clinic.colour.pk}", "date": DAY}
    return clinic


@pytest.fixture
def body(salon):
    return {
        "customer_id": salon.customer.pk,
        "services": [{"service_id": salon.cut.pk}, {"service_id": salon.colour.pk}],
        "appointment_date": DAY,
        "appointment_time": "09:00",
    }


@pytest.fixture
def visit(client, body):
    response = client.post(URL, body)
    assert response.status_code == 201, response.json()
    return response.json()["data"]


def shown(visit) -> list[tuple]:
    return [
        (one["appointment_time"], one["service"], one["staff_name"], one["status"])
        for one in visit["appointments"]
    ]


def occupy(salon, person, service, clock: str) -> None:
    hour, minute = map(int, clock.split(":"))
    start = datetime(2026, 3, 3, hour, minute, tzinfo=salon.business.zone).astimezone(UTC)
    factories.make_appointment(service=service, staff=person, start_time=start)


class TestSlots:
    def test_are_where_each_service_can_follow_the_other(self, client, salon):
        response = client.get(f"{URL}/slots", salon.query)
        assert times(response)[:2] == ["09:00", "09:15"]
        assert times(response)[-1] == "10:30"
        first = response.json()["data"][0]
        assert [(one["service_id"], one["start_time"], one["end_time"]) for one in first["services"]] == [
            (salon.cut.pk, "2026-03-03T03:30:00Z", "2026-03-03T04:00:00Z"),
            (salon.colour.pk, "2026-03-03T04:00:00Z", "2026-03-03T05:00:00Z"),
        ]  # fmt: skip
        assert [one["staff"][0]["name"] for one in first["services"]] == ["Ana", "Bea"]
        assert first["end_time"] == "2026-03-03T05:00:00Z"

    def test_leave_out_what_another_appointment_blocks(self, client, salon):
        occupy(salon, salon.bea, salon.colour, "10:00")
        assert times(client.get(f"{URL}/slots", salon.query)) == ["10:30"]

    def test_name_the_reason_and_the_next_one(self, client, salon):
        occupy(salon, salon.bea, salon.colour, "10:00")
        occupy(salon, salon.ana, salon.cut, "10:30")
        meta = client.get(f"{URL}/slots", salon.query).json()["meta"]
        assert meta["reasons"] == {DAY: "fully_booked"}
        assert meta["next_available"]["start_time"] == "2026-03-04T03:30:00Z"
        past = client.get(f"{URL}/slots", salon.query | {"date": "2026-03-01"}).json()["meta"]
        assert past["reasons"] == {"2026-03-01": "past"}

    def test_may_be_of_one_person_who_performs_all(self, client, salon):
        salon.ana.services.add(salon.colour)
        query = salon.query | {"staff_id": salon.ana.pk, "part_of_day": "afternoon", "limit": 1}
        [slot] = client.get(f"{URL}/slots", query).json()["data"]
        assert slot["time"] == "12:00"
        assert {one["id"] for part in slot["services"] for one in part["staff"]} == {salon.ana.pk}
        query["staff_id"] = salon.bea.pk
        assert client.get(f"{URL}/slots", query).json()["code"] == "staff_not_qualified"

    def test_without_a_visit_show_its_own_time(self, client, salon, visit, client_of):
        query = salon.query | {"exclude_visit_id": visit["id"]}
        assert times(client.get(f"{URL}/slots", salon.query))[0] == "10:00"
        assert times(client.get(f"{URL}/slots", query))[0] == "09:00"
        front_end = client_of(factories.make_key(salon.business, scopes=["slots:read"]))
        assert front_end.get(f"{URL}/slots", query).status_code == 403

    def test_reject_services_that_do_not_exist(self, client, salon):
        for value in ("", "0", "x", f"{salon.cut.pk},", f"{salon.cut.pk},{2**62}", "1,2,3,4,5,6,7"):
            response = client.get(f"{URL}/slots", salon.query | {"service_ids": value})
            assert list(response.json()["errors"]) == ["service_ids"], value

    def test_need_as_many_queries_for_a_month_as_for_a_day(
        self, client, salon, django_assert_max_num_queries
    ):
        for last in (DAY, "2026-03-31"):
            query = salon.query | {"date_from": DAY, "date_to": last}
            del query["date"]
            with django_assert_max_num_queries(12):
                client.get(f"{URL}/slots", query)


class TestBook:
    def test_books_each_service_with_its_event(self, client, salon, body):
        response = client.post(URL, body | {"notes": "Allergic to ammonia."})
        data = response.json()["data"]
        assert shown(data) == [
            ("09:00", "Cut", "Ana", "scheduled"),
            ("09:30", "Colour", "Bea", "scheduled"),
        ]
        assert (data["start_time"], data["end_time"]) == (
            "2026-03-03T03:30:00Z",
            "2026-03-03T05:00:00Z",
        )
        assert {one["visit_id"] for one in data["appointments"]} == {data["id"]}
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert client.get(f"{URL}/{data['id']}").json()["data"] == data
        assert len(client.get(f"/api/v1/appointments?visit_id={data['id']}").json()["data"]) == 2
        assert event_types() == ["appointment.booked"] * 2

    def test_prefers_one_person_for_all(self, client, salon, body):
        salon.bea.services.add(salon.cut)
        assert {one[2] for one in shown(client.post(URL, body).json()["data"])} == {"Bea"}
        assert overlaps() == 0

    def test_books_whom_the_caller_chooses(self, client, salon, body):
        salon.bea.services.add(salon.cut)
        body["services"][0]["staff_id"] = salon.ana.pk
        assert [one[2] for one in shown(client.post(URL, body).json()["data"])] == ["Ana", "Bea"]
        body["services"][1]["staff_id"] = salon.ana.pk
        assert client.post(URL, body).json()["code"] == "staff_not_qualified"

    def test_books_nothing_where_one_service_cannot_be_booked(self, client, salon, body):
        occupy(salon, salon.bea, salon.colour, "10:00")
        before = Appointment.objects.count()
        response = client.post(URL, body)
        assert response.status_code == 409
        assert response.json()["code"] == "slot_unavailable"
        assert response.json()["errors"]["start_time"][0].startswith("Colour: 2026-03-03 09:30")
        assert response.json()["meta"]["alternatives"][0]["time"] == "10:30"
        late = client.post(URL, body | {"appointment_time": "11:15"})
        assert late.json()["code"] == "outside_working_hours"
        assert Appointment.objects.count() == before
        assert not Visit.objects.exists()
        assert event_types() == []

    def test_blocks_the_buffers_around_and_not_between_its_services(self, client, salon, body):
        for service in (salon.cut, salon.colour):
            service.buffer_before_minutes, service.buffer_after_minutes = 20, 40
            service.save()
        salon.bea.services.add(salon.cut)
        body["appointment_time"] = "10:00"
        client.post(URL, body)
        cut, colour = Appointment.objects.order_by("start_time")
        assert (cut.busy_end, colour.busy_start) == (cut.end_time, colour.start_time)
        assert (colour.busy_end - colour.end_time).seconds == 40 * 60
        assert (cut.start_time - cut.busy_start).seconds == 20 * 60
        assert overlaps() == 0

    def test_counts_its_services_against_the_daily_cap(self, client, salon, body):
        Business.objects.update(daily_cap_per_staff=2)
        salon.ana.services.add(salon.colour)
        occupy(salon, salon.bea, salon.colour, "09:30")
        occupy(salon, salon.ana, salon.cut, "16:00")
        body["appointment_time"] = "10:30"
        # The cap admits one more of Ana, and one of Bea.
        assert [one[2] for one in shown(client.post(URL, body).json()["data"])] == ["Ana", "Bea"]
        assert times(client.get(f"{URL}/slots", salon.query)) == []

    def test_rejects_other_bodies(self, client, salon, body):
        for services, field in (
            ([], "services"),
            ([{"service_id": salon.cut.pk}] * 7, "services"),
            ([{"staff_id": salon.ana.pk}], "services.0.service_id"),
            ([{"service_id": salon.cut.pk, "x": 1}], "services.0.x"),
            ("3,7", "services"),
        ):
            response = client.post(URL, body | {"services": services})
            assert list(response.json()["errors"]) == [field]


class TestMove:
    def test_moves_all_of_it(self, client, salon, visit):
        url = f"{URL}/{visit['id']}"
        data = client.patch(url, {"start_time": "2026-03-03T09:15:00+05:30"}).json()["data"]
        assert [one[:3] for one in shown(data)] == [
            ("09:15", "Cut", "Ana"),
            ("09:45", "Colour", "Bea"),
        ]
        assert event_types()[2:] == ["appointment.rescheduled"] * 2
        assert client.patch(url, {"start_time": data["start_time"]}).json()["data"] == data
        assert client.patch(url, {}).json()["data"] == data
        assert Event.objects.count() == 4

    def test_moves_nothing_where_one_service_cannot_move(self, client, salon, visit):
        occupy(salon, salon.bea, salon.colour, "11:00")
        response = client.patch(
            f"{URL}/{visit['id']}", {"appointment_date": DAY, "appointment_time": "10:00"}
        )
        assert response.json()["code"] == "slot_unavailable"
        assert response.json()["meta"]["alternatives"][0]["start_time"] == "2026-03-04T03:30:00Z"
        assert client.get(f"{URL}/{visit['id']}").json()["data"] == visit

    def test_gives_it_to_another_person(self, client, salon, visit):
        other = factories.make_staff(
            salon.business, name="Cleo", services=[salon.cut, salon.colour]
        )
        data = client.patch(f"{URL}/{visit['id']}", {"staff_id": other.pk}).json()["data"]
        assert {one[2] for one in shown(data)} == {"Cleo"}
        assert overlaps() == 0

    def test_gives_no_one_two_services_at_once(self, client, salon, visit):
        other = factories.make_staff(salon.business, services=[salon.cut, salon.colour])
        colour = visit["appointments"][1]["id"]
        moved = client.patch(f"/api/v1/appointments/{colour}", {"start_time": visit["start_time"]})
        assert moved.status_code == 200
        response = client.patch(f"{URL}/{visit['id']}", {"staff_id": other.pk})
        assert response.json()["code"] == "slot_unavailable"

    def test_moves_only_what_is_scheduled(self, client, salon, visit):
        url = f"{URL}/{visit['id']}"
        client.delete(f"/api/v1/appointments/{visit['appointments'][0]['id']}")
        data = client.patch(url, {"start_time": "2026-03-03T10:00:00+05:30"}).json()["data"]
        assert [one[0] for one in shown(data)] == ["09:00", "10:00"]
        client.delete(url)
        response = client.patch(url, {"start_time": "2026-03-03T10:15:00+05:30"})
        assert response.json()["code"] == "invalid_transition"

    def test_answers_if_match(self, client, salon, visit):
        url = f"{URL}/{visit['id']}"
        etag = client.get(url)["ETag"]
        client.patch(f"/api/v1/appointments/{visit['appointments'][0]['id']}", {"notes": "Late"})
        for write, sent in ((client.patch, {"staff_id": salon.ana.pk}), (client.delete, None)):
            assert write(url, sent, headers={"If-Match": etag}).status_code == 412


class TestCancel:
    def test_and_moves_end_with_the_windows_of_the_services(self, client, salon, visit):
        salon.colour.cancellation_window_minutes = salon.colour.reschedule_window_minutes = 3000
        salon.colour.save()
        url = f"{URL}/{visit['id']}"
        later = {"start_time": "2026-03-03T09:15:00+05:30"}
        for sent in (client.delete(url), client.patch(url, later)):
            assert (sent.status_code, sent.json()["code"]) == (409, "too_late_to_change")
        assert client.get(url).json()["data"] == visit

    def test_cancels_all_of_it(self, client, salon, visit):
        url = f"{URL}/{visit['id']}?reason=ill"
        data = client.delete(url).json()["data"]
        assert {one[3] for one in shown(data)} == {"cancelled"}
        assert event_types()[2:] == ["appointment.cancelled"] * 2
        assert client.delete(url).status_code == 200
        assert Event.objects.count() == 4
        salon.customer.refresh_from_db()
        assert salon.customer.total_appointments == 0
