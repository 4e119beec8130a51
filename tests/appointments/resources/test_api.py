"""/resources."""

from __future__ import annotations

import json

import pytest

from appointments.resources.models import Resource
from tests import factories
from webhooks.models import Event

URL = "/api/v1/resources"
HOURS = [{"weekday": 0, "start": "09:00", "end": "17:00"}]
CLOSURE = {
    "start_time": "2026-03-02T09:00:00Z",
    "end_time": "2026-03-02T12:00:00Z",
    "reason": "Repair",
}
NEW = {"name": "Table 4", "kind": "table", "capacity": 6, "hours": HOURS, "closures": [CLOSURE]}


class TestCreate:
    def test_adds_a_resource(self, client, business):
        response = client.post(URL, NEW)
        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert data == client.get(f"{URL}/{data['id']}").json()["data"]
        assert data == data | NEW | {"is_active": True}
        assert Resource.objects.get().business == business

    def test_stores_instants_in_utc_and_hours_in_order(self, client):
        hours = [{"weekday": 1, "start": "9:00", "end": "10:00"}, *HOURS]
        closure = {"start_time": "2026-03-02T14:30:00+05:30", "end_time": "2026-03-02T12:00:00Z"}
        data = client.post(URL, NEW | {"hours": hours, "closures": [closure]}).json()["data"]
        assert data["hours"] == [*HOURS, {"weekday": 1, "start": "09:00", "end": "10:00"}]
        assert data["closures"] == [CLOSURE | {"reason": ""}]

    @pytest.mark.parametrize(
        ("field", "value"),
        (
            ("name", ""),
            ("kind", "Big table"),
            ("kind", None),
            ("capacity", 0),
            ("capacity", 501),
            ("is_active", "yes"),
            ("hours", [HOURS[0], {"weekday": 0, "start": "16:00", "end": "18:00"}]),
            ("hours", [{"weekday": 0, "start": "17:00", "end": "09:00"}]),
            ("hours", HOURS * 101),
            ("closures", [CLOSURE | {"end_time": CLOSURE["start_time"]}]),
        ),
    )
    def test_rejects_bad_values_by_field(self, client, field, value):
        response = client.post(URL, NEW | {field: value})
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
        assert not Resource.objects.exists()


class TestList:
    def test_is_filtered(self, client, business):
        for name, kind, is_active in (
            ("B", "table", True),
            ("A", "chair", True),
            ("C", "chair", False),
        ):
            factories.make_resource(business, kind, name=name, is_active=is_active)

        def names(**query):
            return [one["name"] for one in client.get(URL, query).json()["data"]]

        assert names() == ["A", "B"]
        assert names(kind="chair", is_active="all") == ["A", "C"]
        assert names(updated_since="2100-01-01T00:00:00Z") == []


class TestUpdateAndDelete:
    def test_change_what_is_sent(self, client, business):
        table = factories.make_resource(business, **{**NEW, "kind": "table"})
        path = f"{URL}/{table.pk}"
        before = client.get(path).json()["data"]
        changes = {"capacity": 8, "hours": None, "closures": []}
        data = client.patch(path, changes).json()["data"]
        assert data == before | changes | {"hours": [], "updated_at": data["updated_at"]}
        assert client.patch(path, data).json()["data"] == data
        assert client.delete(path).json()["data"]["id"] == table.pk
        assert client.get(path).status_code == 404

    def test_keep_a_resource_that_has_appointments(self, client, business):
        service = factories.make_service(business, resource_kinds=["table"])
        factories.make_staff(business, services=[service], hours=["00:00-24:00"])
        table = factories.make_resource(business)
        start = client.get("/api/v1/appointments/slots", {"service_id": service.pk}).json()
        slot = (start["data"] or [start["meta"]["next_available"]])[0]["start_time"]
        body = {"customer_id": factories.make_customer(business).pk, "service_id": service.pk}
        assert client.post("/api/v1/appointments", body | {"start_time": slot}).status_code == 201
        response = client.delete(f"{URL}/{table.pk}")
        assert (response.status_code, response.json()["code"]) == (409, "resource_in_use")

    def test_need_the_scope_of_services(self, business, client_of):
        client = client_of(factories.make_key(business, scopes=["services:read"]))
        response = client.post(URL, NEW)
        assert response.json()["meta"]["required_scope"] == "services:write"
        assert client.get(URL).status_code == 200


class TestEvents:
    @pytest.fixture
    def events(self, business):
        def found():
            rows = Event.objects.for_business(business).order_by("pk")
            return [(row.type, json.loads(row.body)["data"]) for row in rows]

        return found

    def test_are_recorded_with_the_resource_as_the_api_shows_it(self, client, events):
        added = client.post(URL, NEW).json()["data"]
        assert events() == [("resource.updated", added)]
        path = f"{URL}/{added['id']}"
        assert client.patch(path, added).status_code == 200
        assert len(events()) == 1  # nothing differs
        changed = client.patch(path, {"capacity": 8, "closures": []}).json()["data"]
        client.delete(path)
        assert events()[1:] == [("resource.updated", changed), ("resource.removed", changed)]

    def test_are_not_recorded_where_the_change_is_refused(self, client, business, events):
        appointment = factories.make_appointment(business)
        table = factories.make_resource(business)
        factories.reserve(appointment, table)
        assert client.delete(f"{URL}/{table.pk}").status_code == 409
        assert client.patch(f"{URL}/{table.pk}", {"capacity": 0}).status_code == 422
        assert events() == []
