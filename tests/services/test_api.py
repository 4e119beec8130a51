"""GET, POST and PATCH of /services."""

from __future__ import annotations

import json

import pytest

from services.models import Service
from staff.models import StaffMember
from tests import factories
from webhooks.models import Event

URL = "/api/v1/services"


@pytest.fixture
def service(business):
    return factories.make_service(
        business, name="Cleaning", description="With polish", buffer_after_minutes=10
    )


class TestRetrieve:
    def test_shows_the_service_and_who_offers_it(self, client, business, service):
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
            "capacity": 1,
            "resource_kinds": [],
            "needs_staff": True,
            "minimum_notice_minutes": None,
            "horizon_days": None,
            "daily_cap": None,
            "cancellation_window_minutes": None,
            "reschedule_window_minutes": None,
            "is_active": True,
            "staff_ids": [person.pk for person in people],
        }

    @pytest.mark.parametrize("pk", ("0", "x", "99999999999999999999"))
    def test_of_none_is_404(self, client, service, pk):
        assert client.get(f"{URL}/{pk}").status_code == 404

    def test_of_another_business_is_404(self, stranger, service):
        assert stranger.get(f"{URL}/{service.pk}").status_code == 404

    def test_cannot_be_deleted(self, client, service):
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

    @pytest.mark.parametrize("text", ("epilation", "ÉPIL", "a la cire"))
    def test_is_searched_without_case_and_accents(self, client, business, text):
        factories.make_service(business, name="Épilation", description="À la cire")
        assert self.names(client, search=text) == ["Épilation"]

    @pytest.mark.parametrize(
        "query", ({"is_active": "yes"}, {"staff_id": 999_999}, {"search": ""}, {"name": "x"})
    )
    def test_rejects_unknown_filters(self, client, services, query):
        response = client.get(URL, query)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(query))

    def test_has_nothing_of_others(self, stranger, services):
        assert stranger.get(URL).json()["data"] == []

    @pytest.mark.parametrize("size", (1, 20, 60))
    def test_needs_four_queries_whatever_its_size(
        self, client, business, size, django_assert_max_num_queries
    ):
        for _ in range(size):
            factories.make_staff(business, services=[factories.make_service(business)])
        client.get(URL)
        with django_assert_max_num_queries(4):
            client.get(URL)


NEW = {"name": "Whitening", "duration_minutes": 45, "price": "99.50", "buffer_after_minutes": 5}


class TestCreate:
    def test_adds_the_service_and_records_the_event(self, client, business):
        response = client.post(URL, NEW)
        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert data == client.get(f"{URL}/{data['id']}").json()["data"]
        assert data | NEW == data
        assert (data["description"], data["is_active"], data["staff_ids"]) == ("", True, [])
        event = Event.objects.get()
        assert (event.business_id, event.type) == (business.pk, "service.updated")
        assert json.loads(event.body)["data"] == data

    @pytest.mark.parametrize(
        ("field", "value"),
        (
            ("name", ""),
            ("name", "\u200b"),
            ("name", "x" * 121),
            ("duration_minutes", 0),
            ("duration_minutes", 1441),
            ("duration_minutes", "30"),
            ("buffer_before_minutes", 481),
            ("buffer_after_minutes", -1),
            ("resource_kinds", "table"),
            ("resource_kinds", ["table", "table"]),
            ("resource_kinds", ["a", "b", "c", "d", "e", "f"]),
            ("capacity", 0),
            ("capacity", 501),
            ("price", "-1"),
            ("price", "1e3"),
            ("price", "1_000"),
            ("price", "٣"),
            ("price", "1.005"),
            ("price", "123456789.00"),
            ("price", True),
            ("price", 50),
            ("price", 50.5),
            ("minimum_notice_minutes", -1),
            ("minimum_notice_minutes", 525_601),
            ("horizon_days", 0),
            ("horizon_days", 1826),
            ("horizon_days", 1.5),
            ("daily_cap", 0),
            ("daily_cap", 10_001),
            ("cancellation_window_minutes", -1),
            ("reschedule_window_minutes", True),
            ("is_active", "yes"),
            ("staff_ids", [1]),
        ),
    )
    def test_rejects_bad_values_by_field(self, client, field, value):
        response = client.post(URL, NEW | {field: value})
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
        assert not Service.objects.exists()
        assert not Event.objects.exists()

    def test_needs_name_and_duration(self, client):
        errors = client.post(URL, {}).json()["errors"]
        assert errors.keys() == {"name", "duration_minutes"}

    def test_is_repeatable(self, client):
        headers = {"Idempotency-Key": "once"}
        ids = {client.post(URL, NEW, headers=headers).json()["data"]["id"] for _ in range(2)}
        assert len(ids) == Service.objects.count() == 1


class TestUpdate:
    def test_changes_what_is_sent(self, client, service):
        before = client.get(f"{URL}/{service.pk}").json()["data"]
        changes = {"price": "50.5", "description": None, "is_active": False}
        data = client.patch(f"{URL}/{service.pk}", changes).json()["data"]
        expected = {"price": "50.50", "description": "", "is_active": False}
        assert data == before | expected | {"updated_at": data["updated_at"]}
        assert json.loads(Event.objects.get().body)["data"] == data

    def test_changes_booking_rules_and_clears_them(self, client, service):
        rules = {
            "minimum_notice_minutes": 0,
            "horizon_days": 30,
            "daily_cap": 8,
            "cancellation_window_minutes": 1440,
            "reschedule_window_minutes": 0,
        }
        path = f"{URL}/{service.pk}"
        data = client.patch(path, rules).json()["data"]
        assert {name: data[name] for name in rules} == rules
        data = client.patch(path, dict.fromkeys(rules)).json()["data"]
        assert {name: data[name] for name in rules} == dict.fromkeys(rules)
        assert Event.objects.count() == 2

    @pytest.mark.parametrize(
        ("changes", "field"),
        (
            ({"horizon_days": 1, "minimum_notice_minutes": 1440}, "horizon_days"),
            ({"minimum_notice_minutes": 365 * 1440}, "minimum_notice_minutes"),
        ),
    )
    def test_rejects_rules_by_which_nothing_could_be_booked(self, client, service, changes, field):
        response = client.patch(f"{URL}/{service.pk}", changes)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])

    def test_without_a_difference_records_no_event(self, client, service):
        whole = client.get(f"{URL}/{service.pk}").json()["data"]
        response = client.patch(f"{URL}/{service.pk}", whole)
        assert (response.status_code, response.json()["data"]) == (200, whole)
        assert not Event.objects.exists()

    @pytest.mark.parametrize(
        "changes", ({"name": None}, {"duration_minutes": None}, {"id": 0}, {"staff_ids": [1]})
    )
    def test_rejects_bad_values_by_field(self, client, service, changes):
        response = client.patch(f"{URL}/{service.pk}", changes)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(changes))

    def test_answers_if_match(self, client, service):
        path = f"{URL}/{service.pk}"
        etag = client.get(path)["ETag"]
        assert client.patch(path, {"price": "1.00"}, headers={"If-Match": etag}).status_code == 200
        assert client.patch(path, {"price": "2.00"}, headers={"If-Match": etag}).status_code == 412

    def test_of_another_business_is_404(self, stranger, service):
        assert stranger.patch(f"{URL}/{service.pk}", {"name": "Mine"}).status_code == 404

    def test_moves_what_shows_its_name(self, client, business, service):
        person = factories.make_staff(business, services=[service])
        client.patch(f"{URL}/{service.pk}", {"name": "Deep cleaning"})
        touched = StaffMember.objects.get(pk=person.pk)
        assert touched.updated_at > person.updated_at

    def test_an_inactive_one_cannot_be_booked(self, client, business, service):
        factories.make_staff(business, services=[service], hours=["00:00-24:00"])
        slots = f"/api/v1/appointments/slots?service_id={service.pk}"
        assert client.get(slots).status_code == 200
        client.patch(f"{URL}/{service.pk}", {"is_active": False})
        assert client.get(slots).json()["code"] == "inactive"


class TestScopes:
    def test_reading_is_not_writing(self, business, client_of, service):
        client = client_of(factories.make_key(business, scopes=["services:read"]))
        for response in (client.post(URL, NEW), client.patch(f"{URL}/{service.pk}", {"price": 1})):
            assert response.status_code == 403
            assert response.json()["meta"]["required_scope"] == "services:write"

    def test_writing_is_not_reading(self, business, client_of, service):
        client = client_of(factories.make_key(business, scopes=["services:write"]))
        assert client.get(f"{URL}/{service.pk}").status_code == 403
        shown = client.patch(f"{URL}/{service.pk}", {"price": "5.00"}).json()["data"]
        assert shown == {"id": service.pk, "price": "5.00"}
