"""`meta.alternatives` of errors of POST and PATCH /appointments: the next free slots."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kaivox.businesses.models import ApiKey
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
