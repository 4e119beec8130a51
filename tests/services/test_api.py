"""GET /services."""

from __future__ import annotations

import pytest

from tests import factories

URL = "/api/v1/services"


@pytest.fixture
def service(business):
    return factories.make_service(
        business, name="Cleaning", description="With polish", buffer_after_minutes=10
    )


class TestRetrieve:
    def test_shows_what_is_sold_and_who_performs_it(self, client, business, service):
        people = [factories.make_staff(business, services=[service]) for _ in range(2)]
        factories.make_staff(business, services=[service], is_active=False)
        data = client.get(f"{URL}/{service.pk}").json()["data"]
        times = {name: data.pop(name) for name in ("created_at", "updated_at")}
        assert all(text.endswith("Z") for text in times.values())
        assert data == {
            "id": service.pk,
            "name": "Cleaning",
            "description": "With polish",
            "duration_minutes": 30,
            "buffer_before_minutes": 0,
            "buffer_after_minutes": 10,
            "price": "1200.00",
            "currency": "INR",
            "is_active": True,
            "staff_ids": [person.pk for person in people],
        }

    @pytest.mark.parametrize("pk", ("0", "x", "99999999999999999999"))
    def test_of_none_is_404(self, client, service, pk):
        assert client.get(f"{URL}/{pk}").status_code == 404

    def test_of_another_business_is_404(self, stranger, service):
        assert stranger.get(f"{URL}/{service.pk}").status_code == 404

    def test_is_read_only(self, client, service):
        assert client.post(URL, {}).status_code == 405
        assert client.patch(f"{URL}/{service.pk}", {}).status_code == 405
        assert client.delete(f"{URL}/{service.pk}").status_code == 405


class TestList:
    @pytest.fixture
    def services(self, business, service):
        whitening = factories.make_service(business, name="Whitening")
        old = factories.make_service(business, name="Amalgam", is_active=False)
        return {"Cleaning": service, "Whitening": whitening, "Amalgam": old}

    def names(self, client, **query):
        response = client.get(URL, query)
        assert response.status_code == 200, response.json()
        return [one["name"] for one in response.json()["data"]]

    def test_has_the_active_ones_by_name(self, client, services):
        assert self.names(client) == ["Cleaning", "Whitening"]
        assert self.names(client, is_active="true") == ["Cleaning", "Whitening"]
        assert self.names(client, is_active="false") == ["Amalgam"]
        assert self.names(client, is_active="all") == ["Amalgam", "Cleaning", "Whitening"]
        assert self.names(client, ordering="-name") == ["Whitening", "Cleaning"]

    def test_is_filtered(self, client, business, services):
        person = factories.make_staff(business, services=[services["Whitening"]])
        assert self.names(client, staff_id=person.pk) == ["Whitening"]
        assert self.names(client, search="POLISH") == ["Cleaning"]
        assert self.names(client, updated_since="2100-01-01T00:00:00Z") == []

    @pytest.mark.parametrize(
        "query", ({"is_active": "yes"}, {"staff_id": 999_999}, {"search": ""}, {"name": "x"})
    )
    def test_refuses_what_it_cannot_filter_by(self, client, services, query):
        response = client.get(URL, query)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(query))

    def test_has_nothing_of_others(self, stranger, services):
        assert stranger.get(URL).json()["data"] == []

    @pytest.mark.parametrize("size", (1, 20, 60))
    def test_takes_four_queries_whatever_its_size(
        self, client, business, size, django_assert_max_num_queries
    ):
        for _ in range(size):
            factories.make_staff(business, services=[factories.make_service(business)])
        client.get(URL)
        with django_assert_max_num_queries(4):
            client.get(URL)
