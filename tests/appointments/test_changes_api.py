"""GET, PATCH and DELETE of one appointment, and the list."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from appointments.models import Appointment
from kaivox.businesses.models import Business
from services.models import Service
from staff.models import StaffMember
from tests import factories
from tests.appointments.conftest import NOW, event_types, overlaps
from webhooks.models import Event

URL = "/api/v1/appointments"


@pytest.fixture
def booked(client, clinic) -> dict:
    """An appointment at 10:00, just booked."""
    return client.post(URL, clinic.booking()).json()["data"]


@pytest.fixture
def url(booked) -> str:
    return f"{URL}/{booked['id']}"


def last_event() -> dict:
    return json.loads(bytes(Event.objects.latest("pk").body))["data"]


class TestRetrieve:
    def test_shows_what_the_booking_showed(self, client, booked, url):
        response = client.get(url)
        assert (response.status_code, response.json()["data"]) == (200, booked)
        assert response["ETag"]

    @pytest.mark.parametrize("pk", ("999999", "0", "-1", "x", "9" * 40, "1.5", "%00"))
    def test_of_none_is_404(self, client, clinic, pk):
        assert client.get(f"{URL}/{pk}").json()["code"] == "not_found"

    def test_of_another_business_is_404(self, stranger, url):
        assert stranger.get(url).status_code == 404
        assert stranger.patch(url, {"notes": "x"}).status_code == 404
        assert stranger.patch(f"{url}/status", {"status": "cancelled"}).status_code == 404
        assert stranger.delete(url).status_code == 404


class TestMove:
    def test_is_one_change_and_one_event(self, client, clinic, booked, url):
        response = client.patch(
            url, {"appointment_date": "2026-03-03", "appointment_time": "11:00"}
        )
        assert response.status_code == 200
        data = response.json()["data"]
        assert (data["appointment_date"], data["appointment_time"]) == ("2026-03-03", "11:00")
        assert data["end_time"] == "2026-03-03T06:00:00Z"
        assert event_types() == ["appointment.booked", "appointment.rescheduled"]
        assert last_event() == data | {
            "previous_start_time": "2026-03-02T04:30:00Z",
            "previous_staff_id": clinic.staff.pk,
        }

    def test_frees_the_old_time_at_once(self, client, clinic, url):
        client.patch(url, {"start_time": "2026-03-02T11:00:00+05:30"})
        assert client.post(URL, clinic.booking("10:00")).status_code == 201

    def test_may_overlap_its_own_time(self, client, url):
        response = client.patch(url, {"start_time": "2026-03-02T10:10:00+05:30"})
        assert response.json()["data"]["appointment_time"] == "10:10"

    def test_to_a_busy_time_moves_nothing(self, client, clinic, booked, url):
        client.post(URL, clinic.booking("11:00"))
        response = client.patch(url, {"start_time": "2026-03-02T10:45:00+05:30", "notes": "x"})
        assert (response.status_code, response.json()["code"]) == (409, "slot_unavailable")
        assert client.get(url).json()["data"] == booked
        assert event_types() == ["appointment.booked", "appointment.booked"]

    @pytest.mark.parametrize(
        ("start", "code"),
        (
            ("2026-03-02T05:00:00+05:30", "in_the_past"),
            ("2026-03-02T20:00:00+05:30", "outside_working_hours"),
            ("2027-06-02T10:00:00+05:30", "too_far_ahead"),
        ),
    )
    def test_applies_the_booking_rules(self, client, booked, url, start, code):
        response = client.patch(url, {"start_time": start})
        assert (response.status_code, response.json()["code"]) == (422, code)
        assert client.get(url).json()["data"] == booked

    def test_keeps_its_member_of_staff_by_default(self, client, clinic, url):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        moved = client.patch(url, {"start_time": "2026-03-02T11:00:00+05:30"}).json()["data"]
        assert moved["staff_id"] == clinic.staff.pk
        moved = client.patch(url, {"staff_id": other.pk}).json()["data"]
        assert (moved["staff_id"], moved["appointment_time"]) == (other.pk, "11:00")
        assert last_event()["previous_staff_id"] == clinic.staff.pk

    def test_to_another_service_gets_its_length_and_price(self, client, clinic, url):
        longer = factories.make_service(clinic.business, duration_minutes=90, price="50.00")
        assert client.patch(url, {"service_id": longer.pk}).json()["code"] == "staff_not_qualified"
        clinic.staff.services.add(longer)
        moved = client.patch(url, {"service_id": longer.pk}).json()["data"]
        assert (moved["duration_minutes"], moved["price"]) == (90, "50.00")
        assert moved["end_time"] == "2026-03-02T06:00:00Z"

    def test_keeps_the_price_that_was_agreed(self, client, url):
        Service.objects.update(price=1)
        moved = client.patch(url, {"start_time": "2026-03-02T11:00:00+05:30"}).json()["data"]
        assert moved["price"] == "1200.00"

    def test_to_where_it_is_changes_nothing(self, client, booked, url):
        response = client.patch(url, {"start_time": "2026-03-02T10:00:00+05:30"})
        assert response.json()["data"] == booked
        assert event_types() == ["appointment.booked"]

    def test_of_what_is_not_scheduled_is_rejected(self, client, url):
        client.delete(url)
        response = client.patch(url, {"start_time": "2026-03-02T11:00:00+05:30"})
        assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")

    def test_to_people_and_services_of_others_is_rejected(self, client, url, other_business):
        person = factories.make_staff(other_business)
        assert list(client.patch(url, {"staff_id": person.pk}).json()["errors"]) == ["staff_id"]
        service = factories.make_service(other_business)
        response = client.patch(url, {"service_id": service.pk})
        assert list(response.json()["errors"]) == ["service_id"]

    def test_with_inactive_staff_is_rejected(self, client, url):
        StaffMember.objects.update(is_active=False)
        response = client.patch(url, {"start_time": "2026-03-02T11:00:00+05:30"})
        assert response.json()["code"] == "inactive"


class TestStatus:
    @pytest.mark.parametrize("path", ("", "/status"))
    @pytest.mark.parametrize("status", ("completed", "no_show"))
    def test_ends_once_it_has_begun(self, client, url, frozen, path, status):
        early = client.patch(f"{url}{path}", {"status": status})
        assert (early.status_code, early.json()["code"]) == (409, "invalid_transition")
        frozen.shift(timedelta(hours=4))
        response = client.patch(f"{url}{path}", {"status": status})
        assert (response.status_code, response.json()["data"]["status"]) == (200, status)
        assert event_types() == ["appointment.booked", f"appointment.{status}"]
        assert last_event() == response.json()["data"]

    def test_completed_counts_for_the_customer(self, client, clinic, url, frozen):
        frozen.shift(timedelta(hours=4))
        client.patch(url, {"status": "completed"})
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_spent == 1200
        assert clinic.customer.last_visit_at == NOW + timedelta(hours=4)
        assert clinic.customer.pipeline_stage == "converted"
        client.patch(url, {"status": "no_show"})
        clinic.customer.refresh_from_db()
        assert (clinic.customer.total_spent, clinic.customer.last_visit_at) == (0, None)

    @pytest.mark.parametrize(
        ("first", "then", "code"),
        (
            ("completed", "no_show", 200),
            ("no_show", "completed", 200),
            ("completed", "cancelled", 409),
            ("no_show", "cancelled", 409),
            ("completed", "scheduled", 409),
            ("cancelled", "scheduled", 409),
            ("cancelled", "completed", 409),
        ),
    )
    def test_allows_some_transitions_only(self, client, url, frozen, first, then, code):
        frozen.shift(timedelta(hours=5))
        client.patch(url, {"status": first})
        assert client.patch(url, {"status": then}).status_code == code
        assert client.get(url).json()["data"]["status"] == (then if code == 200 else first)

    @pytest.mark.parametrize("status", ("scheduled", "cancelled", "completed", "no_show"))
    def test_set_again_is_no_change_and_no_event(self, client, url, frozen, status):
        frozen.shift(timedelta(hours=5))
        client.patch(url, {"status": status})
        before = len(event_types())
        assert client.patch(url, {"status": status}).status_code == 200
        assert len(event_types()) == before

    @pytest.mark.parametrize("body", ({}, {"status": "done"}, {"status": None}, {"state": "x"}))
    def test_needs_to_be_one_of_the_four(self, client, url, body):
        assert client.patch(f"{url}/status", body).status_code == 422

    def test_cancelled_has_a_reason(self, client, url):
        body = {"status": "cancelled", "cancellation_reason": "Has a cold"}
        data = client.patch(url, body).json()["data"]
        assert (data["status"], data["cancellation_reason"]) == ("cancelled", "Has a cold")
        data = client.patch(url, {"cancellation_reason": "Moved away"}).json()["data"]
        assert data["cancellation_reason"] == "Moved away"

    def test_cancelled_again_stores_the_reason(self, client, url):
        client.patch(url, {"status": "cancelled"})
        body = {"status": "cancelled", "cancellation_reason": "Has a cold"}
        data = client.patch(url, body).json()["data"]
        assert data["cancellation_reason"] == "Has a cold"
        assert client.get(url).json()["data"] == data
        assert event_types() == ["appointment.booked", "appointment.cancelled"]

    def test_a_reason_needs_a_cancellation(self, client, url):
        response = client.patch(url, {"cancellation_reason": "x"})
        assert list(response.json()["errors"]) == ["cancellation_reason"]


class TestEdit:
    def test_changes_texts_without_an_event(self, client, url):
        response = client.patch(url, {"notes": "Bring X-rays", "metadata": {"a": "b"}})
        data = response.json()["data"]
        assert (data["notes"], data["metadata"]) == ("Bring X-rays", {"a": "b"})
        assert event_types() == ["appointment.booked"]

    def test_moves_ends_and_edits_as_one_change(self, client, clinic, booked, url):
        body = {"notes": "x", "start_time": "2026-03-02T11:00:00+05:30", "status": "completed"}
        assert client.patch(url, body).json()["code"] == "invalid_transition"
        assert client.get(url).json()["data"] == booked

    @pytest.mark.parametrize(
        "body",
        (
            {"customer_id": 0},
            {"price": "1.00"},
            {"source": "x"},
            {"call_id": 1},
            {"timezone": "UTC"},
        ),
    )
    def test_rejects_what_cannot_change(self, client, url, body):
        response = client.patch(url, body)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(body))

    def test_accepts_its_own_time_zone(self, client, url, booked):
        response = client.patch(url, {"timezone": booked["timezone"]})
        assert (response.status_code, response.json()["data"]) == (200, booked)


class TestCancel:
    def test_shows_the_cancelled_appointment(self, client, clinic, url):
        response = client.delete(f"{url}?reason=Has+a+cold")
        data = response.json()["data"]
        assert response.status_code == 200
        assert (data["status"], data["cancellation_reason"]) == ("cancelled", "Has a cold")
        assert event_types() == ["appointment.booked", "appointment.cancelled"]
        assert last_event() == data
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_appointments == 0

    def test_accepts_the_reason_in_the_body(self, client, url):
        data = client.delete(url, {"reason": "Has a cold"}).json()["data"]
        assert data["cancellation_reason"] == "Has a cold"

    @pytest.mark.parametrize("body", ({"reason": "x"}, {"why": "x"}))
    def test_rejects_a_second_reason_and_unknown_fields(self, client, url, body):
        assert client.delete(f"{url}?reason=y", body).status_code == 422

    def test_frees_its_time_at_once(self, client, clinic, url):
        client.delete(url)
        assert client.post(URL, clinic.booking()).status_code == 201
        assert overlaps() == 0

    def test_again_is_200_without_another_event(self, client, url):
        client.delete(f"{url}?reason=one")
        again = client.delete(f"{url}?reason=two")
        assert again.status_code == 200
        assert again.json()["data"]["cancellation_reason"] == "one"
        assert len(event_types()) == 2

    def test_of_a_completed_one_is_rejected(self, client, url, frozen):
        frozen.shift(timedelta(hours=5))
        client.patch(url, {"status": "completed"})
        response = client.delete(url)
        assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")

    @pytest.mark.parametrize("query", ("why=x", f"reason={'x' * 501}"))
    def test_rejects_unknown_parameters(self, client, url, query):
        assert client.delete(f"{url}?{query}").status_code == 422


class TestIfMatch:
    def test_admits_the_latest_version_only(self, client, url):
        tag = client.get(url)["ETag"]
        assert client.patch(url, {"notes": "a"}, headers={"If-Match": tag}).status_code == 200
        stale = client.patch(url, {"notes": "b"}, headers={"If-Match": tag})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        assert client.delete(url, headers={"If-Match": tag}).status_code == 412
        move = {"start_time": "2026-03-02T11:00:00+05:30"}
        assert client.patch(url, move, headers={"If-Match": tag}).status_code == 412
        tag = client.get(url)["ETag"]
        assert client.patch(url, move, headers={"If-Match": tag}).status_code == 200


class TestList:
    @pytest.fixture
    def rows(self, clinic) -> list[Appointment]:
        other = factories.make_staff(clinic.business, services=[clinic.service])
        return [
            factories.make_appointment(
                service=clinic.service,
                staff=other if number == 2 else clinic.staff,
                customer=clinic.customer,
                start_time=NOW + timedelta(days=number, hours=4),
                status=status,
                source=source,
            )
            for number, (status, source) in enumerate(
                (
                    ("completed", "voice"),
                    ("cancelled", "api"),
                    ("scheduled", "api"),
                    ("no_show", "admin"),
                )
            )
        ]

    def ids(self, client, rows, **query) -> list[int]:
        response = client.get(URL, query)
        assert response.status_code == 200, response.json()
        order = [row.pk for row in rows]
        return [order.index(one["id"]) for one in response.json()["data"]]

    def test_is_ordered_by_start(self, client, rows):
        assert self.ids(client, rows) == [0, 1, 2, 3]
        assert self.ids(client, rows, ordering="-start_time") == [3, 2, 1, 0]
        assert self.ids(client, rows, ordering="created_at") == [0, 1, 2, 3]

    def test_is_filtered(self, client, clinic, rows):
        assert self.ids(client, rows, status="scheduled,no_show") == [2, 3]
        assert self.ids(client, rows, source="voice") == [0]
        assert self.ids(client, rows, staff_id=clinic.staff.pk) == [0, 1, 3]
        assert self.ids(client, rows, customer_id=clinic.customer.pk) == [0, 1, 2, 3]
        assert self.ids(client, rows, service_id=clinic.service.pk, status="cancelled") == [1]
        assert self.ids(client, rows, updated_since="2026-03-02T00:30:00Z") == [0, 1, 2, 3]
        assert self.ids(client, rows, updated_since="2026-03-02T00:30:01Z") == []

    def test_knows_the_days_of_the_business(self, client, rows):
        Business.objects.update(timezone="Pacific/Kiritimati")  # UTC+14: 04:30 UTC is 18:30
        assert self.ids(client, rows, date="2026-03-03") == [1]
        assert self.ids(client, rows, date_from="2026-03-03", date_to="2026-03-04") == [1, 2]
        assert self.ids(client, rows, date_to="2026-03-02") == [0]

    @pytest.mark.parametrize(
        "query",
        (
            {"status": "done"},
            {"status": "scheduled,"},
            {"staff_id": 999_999},
            {"customer_id": "x"},
            {"service_id": 2**64},
            {"date": "today"},
            {"ordering": "price"},
            {"per_page": 101},
            {"staff": 1},
        ),
    )
    def test_rejects_what_it_cannot_filter_by(self, client, rows, query):
        response = client.get(URL, query)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(query))

    def test_has_nothing_of_others(self, stranger, rows):
        assert stranger.get(URL).json()["data"] == []

    @pytest.mark.parametrize("size", (1, 20, 100))
    def test_needs_four_queries_whatever_its_size(
        self, client, clinic, size, django_assert_max_num_queries
    ):
        for number in range(size):
            factories.make_appointment(
                service=clinic.service,
                staff=clinic.staff,
                start_time=NOW + timedelta(days=number),
            )
        client.get(URL)
        with django_assert_max_num_queries(4):  # the key, the version, the page, the total
            assert len(client.get(URL, {"per_page": size}).json()["data"]) == size
