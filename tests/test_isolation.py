"""No business sees or touches another's rows, through any channel: ids in the path, in the query, in
the body; lists, whole lists, totals, cursors. A route or an id that no table here names fails.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from kaivox.businesses.models import BusinessOwned
from tests import documented
from tests.object_graph import API, Route, make_world, routes

pytestmark = [pytest.mark.django_db, pytest.mark.once_in_production]

# Whose id is in the path.
IN_PATH = {
    "/appointments/{id}": "appointment",
    "/appointments/{id}/status": "appointment",
    "/appointments/holds/{id}": "hold",
    "/appointments/series/{id}": "series",
    "/visits/{id}": "visit",
    "/customers/{id}": "customer",
    "/calls/{id}": "call",
    "/staff/{id}": "staff",
    "/staff/{id}/out": "staff",
    "/services/{id}": "service",
    "/closures/{id}": "closure",
    "/resources/{id}": "resource",
    "/calendars/{id}": "calendar",
    "/waitlist/{id}": "waitlist_entry",
    "/events/{id}": "event",
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
    "/appointments/holds": "hold",
    "/appointments/series": "series",
    "/visits": "visit",
    "/customers": "customer",
    "/calls": "call",
    "/staff": "staff",
    "/services": "service",
    "/closures": "closure",
    "/resources": "resource",
    "/calendars": "calendar",
    "/waitlist": "waitlist_entry",
    "/events": "event",
    "/webhooks": "webhook",
    "/webhooks/deliveries": "delivery",
}
# No row of a business is in these.
NO_ROWS = {
    "",
    "/agents/tools",
    "/business",
    "/webhooks/event-types",
    "/appointments/slots",
    "/appointments/series/preview",
    "/visits/slots",
}

IN_QUERY = {
    ("GET /appointments", "staff_id"): "staff",
    ("GET /appointments", "customer_id"): "customer",
    ("GET /appointments", "service_id"): "service",
    ("GET /appointments", "call_id"): "call",
    ("GET /appointments", "series_id"): "series",
    ("GET /appointments", "visit_id"): "visit",
    ("GET /appointments/series", "customer_id"): "customer",
    ("GET /visits", "customer_id"): "customer",
    ("GET /visits/slots", "staff_id"): "staff",
    ("GET /visits/slots", "exclude_visit_id"): "visit",
    ("DELETE /visits/{id}", "call_id"): "call",
    ("DELETE /appointments/series/{id}", "call_id"): "call",
    ("DELETE /appointments/series/{id}", "from_appointment_id"): "appointment",
    ("GET /appointments/slots", "service_id"): "service",
    ("GET /appointments/slots", "staff_id"): "staff",
    ("GET /appointments/slots", "exclude_appointment_id"): "appointment",
    ("DELETE /appointments/{id}", "call_id"): "call",
    ("GET /calls", "customer_id"): "customer",
    ("GET /waitlist", "customer_id"): "customer",
    ("GET /waitlist", "service_id"): "service",
    ("GET /staff", "service_id"): "service",
    ("GET /calendars", "staff_id"): "staff",
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
    ("PATCH /appointments/{id}", "hold_id"): "hold",
    ("POST /appointments/series", "customer_id"): "customer",
    ("POST /appointments/series", "service_id"): "service",
    ("POST /appointments/series", "staff_id"): "staff",
    ("POST /appointments/series", "call_id"): "call",
    ("POST /appointments/series/preview", "customer_id"): "customer",
    ("POST /appointments/series/preview", "service_id"): "service",
    ("POST /appointments/series/preview", "staff_id"): "staff",
    ("POST /appointments/series/preview", "call_id"): "call",
    ("PATCH /appointments/series/{id}", "from_appointment_id"): "appointment",
    ("POST /visits", "customer_id"): "customer",
    ("POST /visits", "call_id"): "call",
    ("PATCH /visits/{id}", "staff_id"): "staff",
    ("PATCH /visits/{id}", "call_id"): "call",
    ("PATCH /appointments/series/{id}", "staff_id"): "staff",
    ("PATCH /appointments/series/{id}", "call_id"): "call",
    ("POST /appointments/holds", "service_id"): "service",
    ("POST /appointments/holds", "staff_id"): "staff",
    ("POST /calendars", "staff_id"): "staff",
    ("POST /waitlist", "customer_id"): "customer",
    ("POST /waitlist", "service_id"): "service",
    ("POST /waitlist", "staff_id"): "staff",
}
# Ids of a service, without which there is no response.
REQUIRED_IN_QUERY = {
    "/appointments/slots": ("service_id",),
    "/visits/slots": ("service_ids",),
}
# A body that each write with an id in its path takes.
BODIES = {
    "PATCH /appointments/{id}": {"notes": "stolen"},
    "PATCH /appointments/{id}/status": {"status": "cancelled"},
    "PATCH /appointments/series/{id}": {},
    "PATCH /visits/{id}": {},
    "PATCH /appointments/holds/{id}": {"expires_in_seconds": 60},
    "PATCH /customers/{id}": {"notes": "stolen"},
    "PATCH /resources/{id}": {"name": "stolen"},
    "PATCH /services/{id}": {"description": "stolen"},
    "PATCH /staff/{id}": {"specialty": "stolen"},
    "POST /staff/{id}/out": {
        "start_time": "2036-01-01T00:00:00Z",
        "end_time": "2036-01-02T00:00:00Z",
    },
    "PATCH /webhooks/{id}": {"is_active": False},
    "POST /webhooks/{id}/test": {"event_type": "appointment.booked"},
    "POST /webhooks/{id}/rotate-secret": {},
    "POST /webhooks/{id}/recover": {"since": "2026-01-01T00:00:00Z"},
    "POST /webhooks/deliveries/{id}/redeliver": {},
}
GONE = 2**62
# Looked for among the caller's own rows only: the voice provider's own ids, which are texts, and the
# objects of events, which may be of any resource.
PROVIDERS_IDS = {"provider_call_id", "object_id"}


@pytest.fixture
def mine(business):
    return make_world(business)


@pytest.fixture
def theirs(other_business):
    return make_world(other_business)


def send(client, route: Route, identifier):
    body = BODIES.get(f"{route.method} {route.path.removeprefix(API)}", {})
    return getattr(client, route.method.lower())(route.url(identifier), body or None)


def url_of(path, mine):
    """The URL of `path` with the id of one's own row."""
    kind = IN_PATH.get(path)
    return f"{API}{path}".replace("{id}", str(mine.id_of(kind)) if kind else "")


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
            if parameter["in"] == "query"
            and parameter["name"].endswith("_id")
            and parameter["name"] not in PROVIDERS_IDS
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
            if name.endswith("_id") and name not in PROVIDERS_IDS
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
        bodies = [json.loads(response.content) for response in (foreign, gone)]
        for body in bodies:
            assert body["code"] == "not_found"
            del body["meta"]
        assert bodies[0] == bodies[1]
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
        url = url_of(path, mine)
        required = REQUIRED_IN_QUERY.get(path, ())
        required = dict.fromkeys(required, mine.id_of("service"))

        def ask(identifier):
            query = urlencode({**required, name: identifier})
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
        booking = {
            "customer_id": mine.id_of("customer"),
            "service_id": mine.id_of("service"),
            "start_time": start,
        }
        series = booking | {"frequency": "daily", "count": 2}
        whole = {
            "POST /appointments": booking,
            "POST /appointments/series": series,
            "POST /visits": {
                "customer_id": mine.id_of("customer"),
                "services": [{"service_id": mine.id_of("service")}],
                "start_time": start,
            },
            "POST /appointments/series/preview": series,
            "PATCH /appointments/{id}": {"status": "cancelled"} if name == "call_id" else {},
            "POST /appointments/holds": {"service_id": mine.id_of("service"), "start_time": start},
            "POST /calendars": {"ics_url": "https://calendars.example/a.ics"},
            "POST /waitlist": {
                "customer_id": mine.id_of("customer"),
                "service_id": mine.id_of("service"),
                "date_from": start[:10],
            },
        }
        before = snapshot(mine), snapshot(theirs)
        for identifier in (theirs.id_of(kind), GONE):
            body = {**whole.get(where, {}), name: identifier}
            response = getattr(client, method.lower())(url_of(path, mine), body)
            assert response.status_code == 422, response.content
            assert list(response.json()["errors"]) == [name]
        assert (snapshot(mine), snapshot(theirs)) == before
