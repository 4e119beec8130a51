"""`null`, empty, unchanged and unknown values: one rule for every route."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import documented
from tests.object_graph import API, make_world, routes
from tests.test_hostile import at, whole_body

pytestmark = [pytest.mark.django_db, pytest.mark.once]


CHANGES = [route for route in routes() if route.method == "PATCH"]


@pytest.fixture
def mine(business):
    return make_world(business)


def fields_of(method, path):
    operation = documented.operations_at(path)[method.lower()]
    if "requestBody" not in operation:
        return {}, set()
    content = operation["requestBody"]["content"]["application/json"]["schema"]
    schema = documented.resolve(content)
    return schema["properties"], set(schema.get("required", ()))


def required_query(route, mine):
    """What a request to the route needs in its query to get as far as its body."""
    if route.path.endswith("/visits/slots"):
        return f"?service_ids={mine.id_of('service')}"
    if route.path.endswith("/slots"):
        return f"?service_id={mine.id_of('service')}"
    return "?provider=vapi" if route.path.endswith("/agents/tools") else ""


def rejected(response, *fields):
    assert response.status_code == 422, response.content
    body = response.json()
    assert body["code"] == "validation_error"
    assert set(fields) <= set(body["errors"]), body
    return body


class TestNull:
    @pytest.mark.parametrize(
        "route", [route for route in routes() if route.method == "POST"], ids=str
    )
    def test_of_an_optional_field_is_left_out_on_post(self, client, mine, route):
        properties, required = fields_of("POST", route.path)
        body = whole_body(route, mine)
        if "/recover" in route.path or "/test" in route.path:
            body = body | dict.fromkeys(properties.keys() - body.keys())
        else:
            body = dict.fromkeys(properties) | body
        response = client.post(at(route, mine), body)
        assert response.status_code < 300, response.content
        for name in required:
            rejected(client.post(at(route, mine), whole_body(route, mine) | {name: None}), name)

    @pytest.mark.parametrize(
        ("kind", "field", "before", "after"),
        (
            ("customer", "notes", "x", ""),
            ("customer", "metadata", {"a": "b"}, {}),
            ("customer", "source", "web", ""),
            ("customer", "email", "asha@example.com", None),
            ("appointment", "notes", "x", ""),
            ("appointment", "metadata", {"a": "b"}, {}),
            ("webhook", "description", "x", ""),
            ("webhook", "max_in_flight", 9, 4),
            ("webhook", "in_order", True, False),
            ("webhook", "rate_limit", 30, None),
            ("webhook", "rate_limit_period", "second", "minute"),
            (
                "webhook",
                "filters",
                [{"field": "data.status", "operator": "eq", "value": "no_show"}],
                [],
            ),
        ),
    )
    def test_clears_on_patch(self, client, mine, kind, field, before, after):
        url = f"{API}/{kind}s/{mine.id_of(kind)}"
        assert client.patch(url, {field: before}).json()["data"][field] == before
        assert client.patch(url, {field: None}).json()["data"][field] == after

    @pytest.mark.parametrize(
        ("kind", "field"),
        (
            ("customer", "name"),
            ("customer", "segment"),
            ("appointment", "start_time"),
            ("appointment", "staff_id"),
            ("appointment", "status"),
            ("webhook", "url"),
            ("webhook", "event_types"),
            ("webhook", "is_active"),
        ),
    )
    def test_of_what_cannot_be_cleared_is_an_error(self, client, mine, kind, field):
        body = rejected(client.patch(f"{API}/{kind}s/{mine.id_of(kind)}", {field: None}), field)
        assert body["errors"][field] == ["It cannot be cleared. Leave it out to keep it."]


class TestWholeObject:
    """What GET shows can be sent back with a change."""

    @pytest.mark.parametrize("kind", ("customer", "appointment", "webhook"))
    def test_that_comes_back_changes_what_was_changed(self, client, mine, kind):
        url = f"{API}/{kind}s/{mine.id_of(kind)}"
        field = "description" if kind == "webhook" else "notes"
        shown = client.get(url).json()["data"]
        response = client.patch(url, shown | {field: "changed"})
        assert response.status_code == 200, response.content
        assert response.json()["data"][field] == "changed"

    @pytest.mark.parametrize("route", CHANGES, ids=str)
    def test_can_be_sent_back_as_it_is(self, client, mine, route):
        """Also after each field has been cleared that can be: what is stored then is shown, and accepted."""
        url = at(route, mine)
        needed = {"expires_in_seconds": 300} if "/holds/" in url else {}
        read = url.removesuffix("/status")
        for field in ["", *fields_of("PATCH", route.path)[0]]:
            if field and client.patch(url, {**needed, field: None}).status_code != 200:
                continue
            shown = client.get(read).json()["data"]
            response = client.patch(url, shown | needed)
            assert response.status_code == 200, (field, response.content)

    @pytest.mark.parametrize("kind", ("customer", "appointment", "webhook"))
    def test_with_another_read_only_value_is_an_error(self, client, mine, kind):
        url = f"{API}/{kind}s/{mine.id_of(kind)}"
        body = rejected(
            client.patch(url, {"id": 10**9, "created_at": "2020-01-01T00:00:00Z"}), "id"
        )
        assert body["errors"]["created_at"][0].startswith("It is read-only")
        rejected(client.patch(url, {"nothing": 1}), "nothing")
        assert client.patch(url, {"id": mine.id_of(kind)}).status_code == 200
        rejected(client.patch(url, {"id": float(mine.id_of(kind)) + 0.5}), "id")

    def test_moves_an_appointment_by_either_of_its_times(self, client, mine):
        url = f"{API}/appointments/{mine.id_of('appointment')}"
        shown = client.get(url).json()["data"]
        moved = client.patch(url, shown | {"appointment_time": "14:00"}).json()["data"]
        assert (moved["appointment_time"], moved["appointment_date"]) == (
            "14:00",
            shown["appointment_date"],
        )
        start = timezone.now().replace(microsecond=0, second=0) + timedelta(days=9)
        moved = client.patch(url, moved | {"start_time": start.isoformat()}).json()["data"]
        assert moved["start_time"] == f"{start:%Y-%m-%dT%H:%M:%SZ}"

    def test_of_an_appointment_in_another_zone_is_a_move(self, client, mine):
        url = f"{API}/appointments/{mine.id_of('appointment')}"
        shown = client.get(url).json()["data"]
        sent = {name: shown[name] for name in ("appointment_date", "appointment_time")}
        moved = client.patch(url, sent | {"timezone": "Europe/London"}).json()["data"]
        assert moved["start_time"] != shown["start_time"]

    def test_of_a_cancelled_appointment_can_be_annotated(self, client, mine):
        url = f"{API}/appointments/{mine.id_of('appointment')}"
        shown = client.delete(url, {"reason": "ill"}).json()["data"]
        response = client.patch(url, shown | {"notes": "Call again"})
        assert response.status_code == 200, response.content
        assert response.json()["data"]["cancellation_reason"] == "ill"


class TestBodyWithoutUse:
    @pytest.mark.parametrize(
        "route", [r for r in routes() if r.method in ("GET", "DELETE", "POST", "PATCH")], ids=str
    )
    def test_unknown_fields_are_errors_on_every_route(self, client, mine, route):
        url = at(route, mine) + required_query(route, mine)

        def send(body, content_type="application/json"):
            return client.generic(route.method, url, body, content_type)

        rejected(send(b'{"bogus": 1}'), "bogus")
        assert send(b"not json").status_code == 400
        assert send(b"<a/>", "text/xml").status_code == 415

    def test_a_reason_is_accepted_in_query_and_body(self, client, mine):
        url = f"{API}/appointments/{mine.id_of('appointment')}"
        rejected(client.delete(f"{url}?reason=a", {"reason": "b"}), "reason")
        data = client.delete(url, {"reason": "ill"}).json()["data"]
        assert (data["status"], data["cancellation_reason"]) == ("cancelled", "ill")


class TestQuery:
    @pytest.mark.parametrize("route", [r for r in routes() if r.method == "GET"], ids=str)
    def test_an_empty_parameter_says_so(self, client, mine, route):
        operation = documented.operations_at(route.path)["get"]
        for parameter in map(documented.resolve, operation["parameters"]):
            name = parameter["name"]
            if parameter["in"] == "query" and name not in ("format", "cursor", "api_key"):
                body = rejected(client.get(f"{at(route, mine)}?{name}="), name)
                assert body["errors"][name][0].startswith("It is empty.")

    def test_a_key_given_twice_is_an_error(self, client, api_key):
        rejected(client.get(f"{API}/customers?api_key={api_key}&api_key={api_key}"), "api_key")

    @pytest.mark.parametrize(
        ("path", "first", "last"),
        (
            ("appointments", "date_from=2026-03-02", "date_to=2026-03-01"),
            ("calls", "date_from=2026-03-02", "date_to=2026-03-01"),
            ("customers", "created_from=2026-03-02", "created_to=2026-03-01"),
            ("customers", "created_from=2026-03-02T09:00:00Z", "created_to=2026-03-02T08:59:59Z"),
            ("customers", "created_from=2026-03-02T09:00:00Z", "created_to=2026-03-02"),
        ),
    )
    def test_a_reversed_range_is_an_error(self, client, path, first, last):
        rejected(client.get(f"{API}/{path}?{first}&{last}"), last.partition("=")[0])
        assert client.get(f"{API}/{path}?{first}").status_code == 200

    def test_a_reversed_recovery_is_an_error(self, client, mine):
        body = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}
        rejected(client.post(f"{API}/webhooks/{mine.id_of('webhook')}/recover", body), "until")
