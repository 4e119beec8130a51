"""`meta.alternatives` of errors of POST and PATCH /appointments: the next free slots."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kaivox.businesses.models import ApiKey, Business
from services.models import Service
from tests import factories

URL = "/api/v1/appointments"


class TestAlternatives:
    def alternatives(self, response) -> list[tuple[str, str]]:
        assert response.status_code in (409, 422), response.json()
        slots = response.json()["meta"]["alternatives"]
        return [(slot["date"][-2:], slot["time"]) for slot in slots]

    def test_are_the_next_free_slots(self, client, clinic):
        client.post(URL, clinic.booking("10:00"))
        response = client.post(URL, clinic.booking("10:00"))
        assert self.alternatives(response) == [("02", "10:30"), ("02", "10:45"), ("02", "11:00")]
        slot = response.json()["meta"]["alternatives"][0]
        assert slot == {
            "start_time": "2026-03-02T05:00:00Z",
            "end_time": "2026-03-02T05:30:00Z",
            "date": "2026-03-02",
            "time": "10:30",
            "staff": [{"id": clinic.staff.pk, "name": "Dr. Meera Nair"}],
        }
        body = clinic.booking() | {"start_time": slot["start_time"]}
        del body["appointment_date"], body["appointment_time"]
        assert client.post(URL, body).status_code == 201

    @pytest.mark.parametrize(
        ("day", "clock", "first"),
        (
            ("2026-03-02", "20:00", ("03", "09:00")),  # outside working hours
            ("2026-03-01", "10:00", ("02", "09:00")),  # in the past
            ("2028-03-01", "10:00", ("02", "09:00")),  # too far ahead
        ),
    )
    def test_are_near_the_requested_time(self, client, clinic, day, clock, first):
        assert self.alternatives(client.post(URL, clinic.booking(clock, day)))[0] == first

    def test_are_of_the_requested_person(self, client, clinic):
        factories.make_staff(clinic.business, services=[clinic.service])
        body = clinic.booking("10:00", staff_id=clinic.staff.pk)
        client.post(URL, body)
        slots = client.post(URL, body).json()["meta"]["alternatives"]
        assert {one["id"] for slot in slots for one in slot["staff"]} == {clinic.staff.pk}

    @pytest.mark.parametrize("values", ({}, {"is_active": False}))
    def test_are_of_others_where_the_person_cannot_be_booked(self, client, clinic, values):
        other = factories.make_staff(clinic.business, **values)
        response = client.post(URL, clinic.booking("10:00", staff_id=other.pk))
        assert response.json()["code"] == ("inactive" if values else "staff_not_qualified")
        assert self.alternatives(response)[0] == ("02", "10:00")

    def test_of_a_move_include_its_own_time(self, client, clinic):
        own = client.post(URL, clinic.booking("10:00")).json()["data"]
        client.post(URL, clinic.booking("09:30"))
        response = client.patch(f"{URL}/{own['id']}", {"start_time": "2026-03-02T09:45:00+05:30"})
        assert self.alternatives(response)[0] == ("02", "10:00")

    def test_are_none_where_nothing_is_free(self, client, clinic):
        clinic.staff.working_hours.all().delete()
        assert self.alternatives(client.post(URL, clinic.booking())) == []

    def test_need_a_scope_that_reads_slots(self, client, clinic, api_key):
        ApiKey.objects.update(scopes=["appointments:write"])
        meta = client.post(URL, clinic.booking("20:00")).json()["meta"]
        assert "alternatives" not in meta
        ApiKey.objects.update(scopes=["appointments:write", "slots:read"])
        assert self.alternatives(client.post(URL, clinic.booking("20:00")))

    def test_need_two_queries(self, client, clinic):
        body = clinic.booking("20:00", staff_id=clinic.staff.pk)

        def count(*scopes: str) -> int:
            ApiKey.objects.update(scopes=["appointments:write", *scopes])
            with CaptureQueriesContext(connection) as queries:
                client.post(URL, body)
            return len(queries)

        assert count("slots:read") == count() + 2


class TestOfSkippedTimes:
    """Clocks in New York skip 02:00 to 03:00 on Sunday, 8 March 2026."""

    DAY = "2026-03-08"

    @pytest.fixture
    def night_shop(self, clinic):
        Business.objects.update(timezone="America/New_York")
        clinic.staff.working_hours.update(start_minute=0, end_minute=1440)
        return clinic

    @pytest.fixture
    def skipped(self, night_shop):
        return night_shop.booking("02:30", self.DAY)

    def offered(self, response) -> list[str]:
        assert (response.status_code, response.json()["code"]) == (422, "nonexistent_local_time")
        slots = response.json()["meta"]["alternatives"]
        assert {slot["date"] for slot in slots} == {self.DAY}
        return [slot["time"] for slot in slots]

    def test_begin_where_the_clocks_go_on(self, client, skipped):
        response = client.post(URL, skipped)
        assert self.offered(response) == ["03:00", "03:15", "03:30"]
        start = response.json()["meta"]["alternatives"][0]["start_time"]
        del skipped["appointment_date"], skipped["appointment_time"]
        assert client.post(URL, skipped | {"start_time": start}).status_code == 201

    def test_are_free_and_of_the_requested_person(self, client, night_shop, skipped):
        client.post(URL, skipped | {"appointment_time": "03:00"})
        assert self.offered(client.post(URL, skipped))[0] == "03:30"
        other = factories.make_staff(
            night_shop.business, services=[night_shop.service], hours=["00:00-24:00"]
        )
        response = client.post(URL, skipped | {"staff_id": other.pk})
        assert self.offered(response)[0] == "03:00"
        slots = response.json()["meta"]["alternatives"]
        assert {one["id"] for slot in slots for one in slot["staff"]} == {other.pk}

    @pytest.mark.parametrize("values", ({}, {"is_active": False}))
    def test_are_of_others_where_the_person_cannot_be_booked(
        self, client, night_shop, skipped, values
    ):
        other = factories.make_staff(night_shop.business, hours=["00:00-24:00"], **values)
        response = client.post(URL, skipped | {"staff_id": other.pk})
        assert self.offered(response)
        slots = response.json()["meta"]["alternatives"]
        assert {one["id"] for slot in slots for one in slot["staff"]} == {night_shop.staff.pk}

    @pytest.mark.parametrize("day", ("2025-03-09", "2028-03-12"))
    def test_are_the_next_ones_where_it_is_out_of_range(self, client, skipped, day):
        response = client.post(URL, skipped | {"appointment_date": day})
        assert response.json()["code"] == "nonexistent_local_time"
        assert response.json()["meta"]["alternatives"][0]["date"] == "2026-03-01"

    @pytest.mark.parametrize("change", ({"is_active": False}, {"capacity": 3}))
    def test_take_the_party_and_are_none_where_nothing_can_be_booked(
        self, client, night_shop, skipped, change
    ):
        Service.objects.update(**change)
        response = client.post(URL, skipped | {"party_size": 4})
        assert response.json()["code"] == "nonexistent_local_time"
        assert response.json()["meta"].get("alternatives", []) == []

    def test_are_of_the_business_where_the_body_names_another_zone(self, client, clinic):
        response = client.post(URL, clinic.booking("01:30", "2026-03-29", timezone="Europe/London"))
        assert response.json()["code"] == "nonexistent_local_time"
        # 01:00 UTC, before the clinic in Kolkata opens.
        slot = response.json()["meta"]["alternatives"][0]
        assert (slot["date"], slot["time"]) == ("2026-03-29", "09:00")

    def test_of_a_move_include_its_own_time(self, client, skipped):
        own = client.post(URL, skipped | {"appointment_time": "03:00"}).json()["data"]
        move = {"appointment_date": self.DAY, "appointment_time": "02:15"}
        response = client.patch(f"{URL}/{own['id']}", move)
        assert self.offered(response)[0] == "03:00"
        assert client.get(f"{URL}/{own['id']}").json()["data"] == own

    def test_of_a_hold(self, client, skipped):
        del skipped["customer_id"]
        assert self.offered(client.post(f"{URL}/holds", skipped))[0] == "03:00"

    def test_need_a_scope_that_reads_slots(self, client, skipped, api_key):
        ApiKey.objects.update(scopes=["appointments:write"])
        response = client.post(URL, skipped)
        assert response.json()["code"] == "nonexistent_local_time"
        assert "alternatives" not in response.json()["meta"]

    def test_of_a_visit_take_all_its_services(self, client, night_shop, skipped):
        second = factories.make_service(night_shop.business, name="Polish", duration_minutes=60)
        night_shop.staff.services.add(second)
        own = client.post(URL, skipped | {"appointment_time": "04:00"}).json()["data"]
        body = skipped | {
            "services": [{"service_id": night_shop.service.pk}, {"service_id": second.pk}]
        }
        del body["service_id"]
        # Ninety minutes fit after the appointment at 04:00, not before it.
        response = client.post("/api/v1/visits", body)
        assert self.offered(response)[0] == "04:30"
        assert len(response.json()["meta"]["alternatives"][0]["services"]) == 2
        client.delete(f"{URL}/{own['id']}")
        visit = client.post("/api/v1/visits", body | {"appointment_time": "03:00"}).json()["data"]
        move = {"appointment_date": self.DAY, "appointment_time": "02:30"}
        response = client.patch(f"/api/v1/visits/{visit['id']}", move)
        assert self.offered(response)[0] == "03:00"

    def test_of_a_visit_are_none_with_staff_who_cannot_perform_it(
        self, client, night_shop, skipped
    ):
        stranger = factories.make_staff(night_shop.business, hours=["00:00-24:00"])
        service = skipped.pop("service_id")
        asked = {"service_id": service, "staff_id": stranger.pk}
        response = client.post("/api/v1/visits", skipped | {"services": [asked]})
        assert self.offers_none(response)
        body = skipped | {"services": [{"service_id": service}], "appointment_time": "03:00"}
        visit = client.post("/api/v1/visits", body).json()["data"]
        move = {"appointment_date": self.DAY, "appointment_time": "02:30"}
        response = client.patch(f"/api/v1/visits/{visit['id']}", move | {"staff_id": stranger.pk})
        assert self.offers_none(response)

    def offers_none(self, response) -> bool:
        assert response.json()["code"] == "nonexistent_local_time"
        return "alternatives" not in response.json()["meta"]
