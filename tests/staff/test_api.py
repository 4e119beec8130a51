"""GET /staff."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine

from staff.models import Break, TimeOff
from tests import factories
from tests.factories import minutes_of

URL = "/api/v1/staff"


@pytest.fixture
def person(business):
    return factories.make_staff(
        business,
        name="Dr. Meera Nair",
        specialty="Dentist",
        email="meera@example.com",
        hours={0: ["09:00-13:00", "13:00-17:00"], 5: ["20:00-24:00"]},
    )


class TestRetrieve:
    def test_shows_services_hours_and_time_off(self, client, business, person):
        cleaning = factories.make_service(business, name="Cleaning")
        person.services.set([cleaning, factories.make_service(business, is_active=False)])
        owned = {"business": business, "staff": person}
        Break.objects.create(weekday=0, **minutes_of("12:30-13:30"), **owned)
        for day, reason in ((1, "Long ago"), (9, "Holiday"), (20, "Course")):
            TimeOff.objects.create(
                start_time=datetime(2026, 3, day, tzinfo=UTC),
                end_time=datetime(2026, 3, day + 1, tzinfo=UTC),
                reason=reason,
                **owned,
            )
        with time_machine.travel("2026-03-09T18:00:00Z"):
            data = client.get(f"{URL}/{person.pk}").json()["data"]
        del data["created_at"], data["updated_at"]
        assert data == {
            "id": person.pk,
            "name": "Dr. Meera Nair",
            "specialty": "Dentist",
            "email": "meera@example.com",
            "is_active": True,
            "timezone": "Asia/Kolkata",
            "services": [{"id": cleaning.pk, "name": "Cleaning"}],
            "working_hours": [
                {"weekday": 0, "start": "09:00", "end": "12:30"},
                {"weekday": 0, "start": "13:30", "end": "17:00"},
                {"weekday": 5, "start": "20:00", "end": "24:00"},
            ],
            "time_off": [
                {
                    "start_time": "2026-03-09T00:00:00Z",
                    "end_time": "2026-03-10T00:00:00Z",
                    "reason": "Holiday",
                },
                {
                    "start_time": "2026-03-20T00:00:00Z",
                    "end_time": "2026-03-21T00:00:00Z",
                    "reason": "Course",
                },
            ],
        }

    @pytest.mark.parametrize("pk", ("0", "x", "99999999999999999999"))
    def test_of_none_is_404(self, client, person, pk):
        assert client.get(f"{URL}/{pk}").status_code == 404

    def test_of_another_business_is_404(self, stranger, person):
        assert stranger.get(f"{URL}/{person.pk}").status_code == 404

    def test_is_read_only(self, client, person):
        assert client.post(URL, {}).status_code == 405
        assert client.patch(f"{URL}/{person.pk}", {}).status_code == 405


class TestList:
    def names(self, client, **query):
        response = client.get(URL, query)
        assert response.status_code == 200, response.json()
        return [one["name"] for one in response.json()["data"]]

    def test_has_the_active_ones_by_name(self, client, business, person):
        factories.make_staff(business, name="Anil")
        factories.make_staff(business, name="Gone", is_active=False)
        assert self.names(client) == ["Anil", "Dr. Meera Nair"]
        assert self.names(client, is_active="false") == ["Gone"]
        assert self.names(client, is_active="all") == ["Anil", "Dr. Meera Nair", "Gone"]

    def test_is_filtered(self, client, business, person):
        service = factories.make_service(business)
        factories.make_staff(business, name="Anil", services=[service])
        assert self.names(client, service_id=service.pk) == ["Anil"]
        assert self.names(client, search="dentist") == ["Dr. Meera Nair"]

    @pytest.mark.parametrize("query", ({"is_active": "1"}, {"service_id": 999_999}, {"role": "x"}))
    def test_refuses_what_it_cannot_filter_by(self, client, person, query):
        response = client.get(URL, query)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(query))

    def test_has_nothing_of_others(self, stranger, person):
        assert stranger.get(URL).json()["data"] == []

    @pytest.mark.parametrize("size", (1, 20, 60))
    def test_takes_the_same_queries_whatever_its_size(
        self, client, business, size, django_assert_max_num_queries
    ):
        service = factories.make_service(business)
        for _ in range(size):
            factories.make_staff(business, services=[service])
        client.get(URL)
        with django_assert_max_num_queries(7):
            client.get(URL)
