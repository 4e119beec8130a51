"""GET, POST and DELETE of /closures."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from staff.models import Closure
from tests import factories
from webhooks.models import Event

URL = "/api/v1/closures"
NEW = {"reason": "Christmas", "first_date": "2030-12-25"}


def events():
    return [(event.type, json.loads(event.body)["data"]) for event in Event.objects.order_by("pk")]


@pytest.fixture
def closure(client):
    closure = client.post(URL, NEW).json()["data"]
    Event.objects.all().delete()
    return closure


class TestCreate:
    def test_closes_whole_days_and_records_the_event(self, client):
        response = client.post(URL, NEW | {"last_date": None})
        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        whole_day = {"last_date": "2030-12-25", "from_time": "00:00", "until_time": "24:00"}
        assert data == data | NEW | whole_day | {"kind": "holiday"}
        assert data == client.get(f"{URL}/{data['id']}").json()["data"]
        assert events() == [("closure.created", data)]

    def test_closes_between_two_times(self, client):
        times = {"from_time": "9:30", "last_date": "2030-12-27", "until_time": "12:00"}
        data = client.post(URL, NEW | times | {"kind": "emergency"}).json()["data"]
        assert data == data | times | {"from_time": "09:30", "kind": "emergency"}
        closure = Closure.objects.get()
        assert (closure.from_minute, closure.until_minute) == (570, 720)

    def test_leaves_no_slots(self, client, business):
        service = factories.make_service(business)
        factories.make_staff(business, services=[service], hours=["00:00-24:00"])
        day = (timezone.now() + timedelta(days=5)).date().isoformat()
        slots = f"/api/v1/appointments/slots?service_id={service.pk}&date={day}"
        assert client.get(slots).json()["data"]
        closure = client.post(URL, {"reason": "Flood", "first_date": day}).json()["data"]
        found = client.get(slots).json()
        assert (found["data"], found["meta"]["reasons"]) == ([], {day: "holiday"})
        client.delete(f"{URL}/{closure['id']}")
        assert client.get(slots).json()["data"]

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"reason": ""}, "reason"),
            ({"reason": "x" * 201}, "reason"),
            ({"reason": None}, "reason"),
            ({"first_date": "2030-02-30"}, "first_date"),
            ({"last_date": "tomorrow"}, "last_date"),
            ({"from_time": "25:00"}, "from_time"),
            ({"until_time": 24}, "until_time"),
            ({"kind": "party"}, "kind"),
            ({"from_minute": 5}, "from_minute"),
        ),
    )
    def test_rejects_bad_values_by_field(self, client, change, field):
        response = client.post(URL, NEW | change)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
        assert not Closure.objects.exists()

    @pytest.mark.parametrize(
        ("change", "field"),
        (
            ({"last_date": "2030-12-24"}, "last_date"),
            ({"last_date": "2030-12-24", "until_time": "12:00"}, "last_date"),
            ({"from_time": "12:00", "until_time": "12:00"}, "until_time"),
            ({"until_time": "00:00"}, "until_time"),
            ({"from_time": "24:00"}, "from_time"),
        ),
    )
    def test_rejects_an_end_before_the_start(self, client, change, field):
        response = client.post(URL, NEW | change)
        assert (response.status_code, response.json()["code"]) == (422, "impossible_hours")
        assert list(response.json()["errors"]) == [field]
        assert events() == []


class TestDelete:
    def test_shows_the_closure_and_records_the_event(self, client, closure):
        response = client.delete(f"{URL}/{closure['id']}")
        assert (response.status_code, response.json()["data"]) == (200, closure)
        assert events() == [("closure.removed", closure)]
        assert client.delete(f"{URL}/{closure['id']}").status_code == 404

    def test_answers_if_match(self, client, closure):
        path = f"{URL}/{closure['id']}"
        assert client.delete(path, headers={"If-Match": '"other"'}).status_code == 412
        assert (
            client.delete(path, headers={"If-Match": client.get(path)["ETag"]}).status_code == 200
        )

    def test_of_another_business_is_404(self, stranger, closure):
        assert stranger.delete(f"{URL}/{closure['id']}").status_code == 404
        assert Closure.objects.exists()

    def test_cannot_be_changed(self, client, closure):
        assert client.patch(f"{URL}/{closure['id']}", {"reason": "x"}).status_code == 405


class TestList:
    @pytest.fixture
    def closures(self, client):
        for first, last in (("2030-03-05", "2030-03-08"), ("2030-01-01", "2030-01-01")):
            client.post(URL, {"reason": first, "first_date": first, "last_date": last})

    @pytest.mark.parametrize(
        ("query", "reasons"),
        (
            ({}, ["2030-01-01", "2030-03-05"]),
            ({"ordering": "-first_date"}, ["2030-03-05", "2030-01-01"]),
            ({"date_from": "2030-03-08"}, ["2030-03-05"]),
            ({"date_from": "2030-03-09"}, []),
            ({"date_to": "2030-03-04"}, ["2030-01-01"]),
            ({"kind": "emergency"}, []),
        ),
    )
    def test_is_by_date_and_filtered(self, client, closures, query, reasons):
        found = client.get(URL, query).json()["data"]
        assert [one["reason"] for one in found] == reasons

    def test_continues_by_cursor(self, client, closures):
        first = client.get(URL, {"per_page": 1}).json()
        cursor = first["meta"]["next_cursor"]
        second = client.get(URL, {"per_page": 1, "cursor": cursor}).json()
        assert [one["reason"] for one in first["data"] + second["data"]] == [
            "2030-01-01",
            "2030-03-05",
        ]

    @pytest.mark.parametrize(
        ("query", "field"),
        (
            ({"date_from": "2030-01-02", "date_to": "2030-01-01"}, "date_to"),
            ({"date_from": "soon"}, "date_from"),
            ({"reason": "x"}, "reason"),
        ),
    )
    def test_rejects_bad_filters(self, client, query, field):
        response = client.get(URL, query)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])


class TestScopes:
    def test_are_those_of_staff(self, business, client_of, closure):
        reader = client_of(factories.make_key(business, scopes=["staff:read"]))
        assert reader.get(URL).status_code == 200
        assert reader.post(URL, NEW).json()["meta"]["required_scope"] == "staff:write"
        writer = client_of(factories.make_key(business, scopes=["staff:write"]))
        assert writer.get(URL).status_code == 403
        assert writer.delete(f"{URL}/{closure['id']}").json()["data"] == {"id": closure["id"]}
