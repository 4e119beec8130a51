"""No business sees or touches another's rows, by whatever road: ids in the path, in the query, in
the body; lists, whole lists, totals, cursors. A route or an id that no table here names fails.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from kaivox.businesses.models import BusinessOwned
from tests import documented
from tests.world import API, Route, make_world, routes

pytestmark = pytest.mark.django_db

# Whose id stands in the path.
IN_PATH = {
    "/appointments/{id}": "appointment",
    "/appointments/{id}/status": "appointment",
    "/appointments/holds/{id}": "hold",
    "/customers/{id}": "customer",
    "/calls/{id}": "call",
    "/staff/{id}": "staff",
    "/services/{id}": "service",
    "/webhooks/{id}": "webhook",
    "/webhooks/{id}/deliveries": "webhook",
    "/webhooks/{id}/health": "webhook",
    "/webhooks/{id}/recover": "webhook",
    "/webhooks/{id}/rotate-secret": "webhook",
    "/webhooks/{id}/test": "webhook",
    "/webhooks/deliveries/{id}": "delivery",
    "/webhooks/deliveries/{id}/redeliver": "delivery",
}
LISTS = {
    "/appointments": "appointment",
    "/customers": "customer",
    "/calls": "call",
    "/staff": "staff",
    "/services": "service",
    "/webhooks": "webhook",
    "/webhooks/deliveries": "delivery",
}
# No row of a business is in these.
NO_ROWS = {"", "/business", "/webhooks/event-types", "/appointments/slots", "/appointments/holds"}

IN_QUERY = {
    ("GET /appointments", "staff_id"): "staff",
    ("GET /appointments", "customer_id"): "customer",
    ("GET /appointments", "service_id"): "service",
    ("GET /appointments/slots", "service_id"): "service",
    ("GET /appointments/slots", "staff_id"): "staff",
    ("GET /appointments/slots", "exclude_appointment_id"): "appointment",
    ("DELETE /appointments/{id}", "call_id"): "call",
    ("GET /calls", "customer_id"): "customer",
    ("GET /staff", "service_id"): "service",
    ("GET /services", "staff_id"): "staff",
}
IN_BODY = {
    ("POST /appointments", "customer_id"): "customer",
    ("POST /appointments", "service_id"): "service",
    ("POST /appointments", "staff_id"): "staff",
    ("POST /appointments", "call_id"): "call",
    ("POST /appointments", "hold_id"): "hold",
    ("PATCH /appointments/{id}", "staff_id"): "staff",
    ("PATCH /appointments/{id}", "service_id"): "service",
    ("PATCH /appointments/{id}", "call_id"): "call",
    ("POST /appointments/holds", "service_id"): "service",
    ("POST /appointments/holds", "staff_id"): "staff",
}
# A body that each write with an id in its path takes.
BODIES = {
    "PATCH /appointments/{id}": {"notes": "stolen"},
    "PATCH /appointments/{id}/status": {"status": "cancelled"},
    "PATCH /customers/{id}": {"notes": "stolen"},
    "PATCH /webhooks/{id}": {"is_active": False},
    "POST /webhooks/{id}/test": {"event_type": "appointment.booked"},
    "POST /webhooks/{id}/rotate-secret": {},
    "POST /webhooks/{id}/recover": {"since": "2026-01-01T00:00:00Z"},
    "POST /webhooks/deliveries/{id}/redeliver": {},
}
GONE = 2**62


@pytest.fixture
def mine(business):
    return make_world(business)


@pytest.fixture
def theirs(other_business):
    return make_world(other_business)


def send(client, route: Route, identifier):
    body = BODIES.get(f"{route.method} {route.path.removeprefix(API)}", {})
    return getattr(client, route.method.lower())(route.url(identifier), body or None)


def snapshot(world):
    """All values of its rows, fresh from the database."""
    return {
        kind: type(row)._default_manager.filter(pk=row.pk).values().first()
        for kind, row in world.objects.items()
    }


def in_path():
    return [route for route in routes() if "{id}" in route.path]


class TestTables:
    def test_name_every_route(self):
        known = {*IN_PATH, *LISTS, *NO_ROWS}
        unknown = [str(route) for route in routes() if route.path.removeprefix(API) not in known]
        assert not unknown, f"{unknown}: say in tests/test_isolation.py whose rows they touch."

    def test_name_every_id_in_a_query(self):
        found = {
            (f"{method.upper()} {path.removeprefix(API)}", parameter["name"])
            for path, item in documented.document()["paths"].items()
            if path.startswith(API)
            for method, operation in item.items()
            for parameter in map(documented.resolve, operation.get("parameters", ()))
            if parameter["in"] == "query" and parameter["name"].endswith("_id")
        }
        assert found == set(IN_QUERY)

    def test_name_every_id_in_a_body(self):
        found = {
            (f"{method.upper()} {path.removeprefix(API)}", name)
            for path, item in documented.document()["paths"].items()
            for method, operation in item.items()
            if "requestBody" in operation and path.startswith(API)
            for name in documented.resolve(
                operation["requestBody"]["content"]["application/json"]["schema"]
            )["properties"]
            if name.endswith("_id")
        }
        assert found == set(IN_BODY)

    def test_hold_rows_of_every_model_that_the_api_shows(self, mine):
        assert all(
            isinstance(row, BusinessOwned) or hasattr(row, "business_id")
            for row in mine.objects.values()
        )


class TestIdInThePath:
    @pytest.mark.parametrize("route", in_path(), ids=str)
    def test_of_another_business_looks_like_none(self, client, mine, theirs, route):
        kind = IN_PATH[route.path.removeprefix(API)]
        before = snapshot(theirs)
        foreign = send(client, route, theirs.id_of(kind))
        gone = send(client, route, GONE)
        assert foreign.status_code == gone.status_code == 404
        told = [json.loads(response.content) for response in (foreign, gone)]
        for body in told:
            assert body["code"] == "not_found"
            del body["meta"]
        assert told[0] == told[1]
        assert snapshot(theirs) == before

    @pytest.mark.parametrize("route", in_path(), ids=str)
    def test_of_ones_own_is_found(self, client, mine, route):
        response = send(client, route, mine.id_of(IN_PATH[route.path.removeprefix(API)]))
        assert response.status_code < 300, response.content


class TestLists:
    @pytest.mark.parametrize(("path", "kind"), LISTS.items())
    def test_hold_ones_own_alone(self, client, mine, theirs, path, kind):
        body = client.get(f"{API}{path}").json()
        ids = {row["id"] for row in body["data"]}
        assert mine.id_of(kind) in ids
        assert theirs.id_of(kind) not in ids
        assert body["meta"]["total"] == len(ids)

    @pytest.mark.parametrize(("path", "kind"), LISTS.items())
    def test_hold_ones_own_alone_when_whole(self, client, mine, theirs, path, kind):
        lines = client.get(f"{API}{path}?format=ndjson").getvalue().splitlines()
        ids = {json.loads(line)["id"] for line in lines}
        assert mine.id_of(kind) in ids
        assert theirs.id_of(kind) not in ids

    @pytest.mark.parametrize(("path", "kind"), LISTS.items())
    def test_do_not_lead_elsewhere_by_anothers_cursor(
        self, client, stranger, mine, theirs, path, kind
    ):
        cursor = stranger.get(f"{API}{path}?per_page=1").json()["meta"]["next_cursor"] or ""
        rows = client.get(f"{API}{path}?cursor={cursor}").json()["data"]
        assert theirs.id_of(kind) not in {row["id"] for row in rows}


class TestIdInTheQuery:
    @pytest.mark.parametrize(
        ("where", "name", "kind"), [(*key, kind) for key, kind in IN_QUERY.items()]
    )
    def test_of_another_business_is_named(self, client, mine, theirs, where, name, kind):
        method, path = where.split(" ")
        url = f"{API}{path}".replace("{id}", str(mine.id_of("appointment")))
        given = {"service_id": mine.id_of("service")} if path.endswith("slots") else {}

        def ask(identifier):
            query = urlencode({**given, name: identifier})
            return getattr(client, method.lower())(f"{url}?{query}")

        before = snapshot(mine), snapshot(theirs)
        for identifier in (theirs.id_of(kind), GONE):
            response = ask(identifier)
            assert response.status_code == 422
            assert list(response.json()["errors"]) == [name]
        assert (snapshot(mine), snapshot(theirs)) == before
        assert ask(mine.id_of(kind)).status_code == 200


class TestIdInTheBody:
    @pytest.mark.parametrize(
        ("where", "name", "kind"), [(*key, kind) for key, kind in IN_BODY.items()]
    )
    def test_of_another_business_is_named(self, client, mine, theirs, where, name, kind):
        method, path = where.split(" ")
        start = mine.objects["hold"].start_time.replace(hour=8).isoformat()
        whole = {
            "POST /appointments": {
                "customer_id": mine.id_of("customer"),
                "service_id": mine.id_of("service"),
                "start_time": start,
            },
            "PATCH /appointments/{id}": {"status": "cancelled"} if name == "call_id" else {},
            "POST /appointments/holds": {"service_id": mine.id_of("service"), "start_time": start},
        }
        before = snapshot(mine), snapshot(theirs)
        for identifier in (theirs.id_of(kind), GONE):
            body = {**whole.get(where, {}), name: identifier}
            url = f"{API}{path}".replace("{id}", str(mine.id_of("appointment")))
            response = getattr(client, method.lower())(url, body)
            assert response.status_code == 422, response.content
            assert list(response.json()["errors"]) == [name]
        assert (snapshot(mine), snapshot(theirs)) == before
