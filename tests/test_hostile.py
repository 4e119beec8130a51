"""What the internet sends, to every route and method: never a 500, never a page, never half a write.

`tests.documented` checks every response here too: each error is one that openapi.json knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from ratelimits.throttling import EnterpriseThrottle
from tests import documented
from tests.object_graph import API, make_world, routes

pytestmark = pytest.mark.django_db

ABSURD_IDS = (
    "0", "-1", str(2**63), str(10**30), "1 OR 1=1", "1;--", "%00", "%ff", "%ED%A0%80", "٣", "1e3", "0x1",
    "..", "%2e%2e", "null", "true", "[1]", "1.0", "+1", "%F0%9F%98%80", "1" * 3000,
)  # fmt: skip

TEXTS = (
    "😀👩‍👩‍👧",
    "שלום עולם",
    "ẗ̈͂͊̐",
    "‮gpj.exe",
    "Robert'); DROP TABLE customers;--",
    "{{7*7}}",
    "<script>",
)

NUMBERS = (None, True, 0, -1, 2**31, 2**63, 10**30, 1.5, 1e308, "1 OR 1=1", [1], {})
STRINGS = (
    None,
    1,
    "",
    " ",
    "1 OR 1=1",
    "x" * 10_240,
    ["a"],
    {"$gt": ""},
    "javascript:alert(1)",
    *TEXTS[:3],
)
TIMES = (
    None, 1, "", "0001-01-01", "9999-12-31", "2026-02-30", "0001-01-01T00:00:00+14:00", "now", "٢٠٢٦-٠١-٠١",
    "9999-12-31T23:59:59-14:00", "2026-03-01T10:00:00", "2026-03-01T10:00:00+99:99", {},
)  # fmt: skip
OBJECTS = (
    None, [], "x", 1, {"a": 1}, {"a": None}, {"a": {}}, {"": "x"}, {"k" * 41: "x"}, {"a": "x" * 501}, {TEXTS[3]: TEXTS[0]},
    {str(number): "x" for number in range(51)},
)  # fmt: skip
FLAGS = (None, 0, 1, "true", "yes", [], {})
LISTS = (None, "x", [None], [1], [[]], ["x" * 999], [{}], ["*"] * 999, {})

IN_ANY_QUERY = ("", "%00", "%F0%9F%98%80", "x" * 4000)
IN_QUERY = {
    "integer": ("0", "-1", str(2**63), "9" * 30, "1%20OR%201=1", "1e309", "NaN", "1.0", "%D9%A3"),
    "string": ("%25", "_", "%5C%27", "a,b", ",", "%E2%80%AE", "{}"),
    "time": ("0001-01-01", "9999-12-31", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "2026-02-30"),
}  # fmt: skip

BAD_BODIES = (
    b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff\xfe", b"\xef\xbb\xbf{", b'{"notes": NaN}', b'{"notes": 1e999}',
    b'{"notes": -Infinity}', b'{"notes": "a", "notes": "b"}', b'{"notes": "\\u0000"}', b'{"notes": "\\ud800"}',
    b'{"\\u0000": 1}', b'{"notes": ' + b"9" * 5000 + b"}", b"[" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"notes": "\x00"}', b'{"__proto__": {"a": 1}}', b'{"id": 0}', b'{"business": 1}', b'{"business_id": 1}',
)  # fmt: skip


@pytest.fixture
def mine(business):
    return make_world(business)


@pytest.fixture
def client(client, monkeypatch):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)
    client.raise_request_exception = False
    return client


@cache
def own_tables():
    return [
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.label.split(".")[0] not in ("auth", "contenttypes", "sessions", "admin")
        and not model._meta.label.startswith(("ratelimits", "idempotency"))
    ]


def everything():
    """All rows of all our tables: an error must leave them as they were."""
    rows = {}
    with connection.cursor() as cursor:
        for table in own_tables():
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 - a table of ours
            rows[table] = cursor.fetchall()
    return rows


def checked_error(response, here):
    """Checks the response's envelope; returns whether it is an error."""
    status = response.status_code
    assert status < 500, f"{here}: {status} {response.content[:300]!r}"
    if response.streaming or status == 304:
        return False
    assert response["Content-Type"] == "application/json", here
    body = json.loads(response.content)
    assert body["success"] is (status < 400), here
    return status >= 400


def reject_all(client, requests):
    """Sends `requests` of (here, send); each must be rejected, and nothing may be written."""
    before = everything()
    for here, send in requests:
        response = send()
        assert checked_error(response, here), f"{here}: {response.status_code}"
    assert everything() == before


def values_for(schema):
    """What is hostile to a field of the body."""
    kind = schema.get("type", "string")
    kinds = {kind} if isinstance(kind, str) else set(kind)
    if schema.get("format") in ("date", "date-time"):
        return TIMES
    table = {
        "integer": NUMBERS,
        "number": NUMBERS,
        "object": OBJECTS,
        "boolean": FLAGS,
        "array": LISTS,
    }
    return next((values for name, values in table.items() if name in kinds), STRINGS)


def values_in_query(schema):
    kind = "time" if schema.get("format") in ("date", "date-time") else schema.get("type", "string")
    return (*IN_ANY_QUERY, *IN_QUERY.get(kind, IN_QUERY["string"]))


@dataclass
class Trial:
    """Values to send together; `rejected` are the names of those that the response blames."""

    values: dict
    rejected: frozenset = frozenset()

    def note(self, response):
        if response["Content-Type"] == "application/json":
            self.rejected = frozenset(json.loads(response.content).get("errors", ()))


def all_then_each(values):
    """Trials of each value of each name, passed as `{name: values}`.

    A value is validated by itself, so one value of every name is sent in one request, and again without
    those that the response blames; what is never blamed may be accepted, and goes further than
    validation only when it is sent alone.
    """
    for number in range(max(map(len, values.values()), default=0)):
        row = {name: some[number] for name, some in values.items() if number < len(some)}
        rejected = row.keys()
        while rejected and len(row) > 1:
            together = Trial(row)
            yield together
            rejected = together.rejected & row.keys()
            row = {name: value for name, value in row.items() if name not in rejected}
        yield from (Trial({name: value}) for name, value in row.items())


def at(route, mine):
    """The route's URL with an id that is there."""
    kind = route.path.removeprefix(f"{API}/").split("/")
    names = {"appointments": "appointment", "customers": "customer", "calls": "call", "staff": "staff",
             "services": "service", "events": "event", "webhooks": "webhook", "holds": "hold",
             "deliveries": "delivery", "closures": "closure", "resources": "resource",
             "calendars": "calendar", "series": "series", "visits": "visit",
             "waitlist": "waitlist_entry"}  # fmt: skip
    before_id = kind[kind.index("{id}") - 1] if "{id}" in kind else None
    return route.url(mine.id_of(names[before_id])) if before_id else route.url()


class TestPath:
    @pytest.mark.parametrize("route", [r for r in routes() if "{id}" in r.path], ids=str)
    def test_with_an_absurd_id_is_not_found(self, client, mine, route):
        reject_all(
            client,
            [
                (f"{route} {identifier}", lambda identifier=identifier: client.generic(
                    route.method, route.url(identifier), b"{}", "application/json"
                ))
                for identifier in ABSURD_IDS
            ],
        )  # fmt: skip

    @pytest.mark.parametrize(
        "path", ("/%ff", "/%00", "/%ED%A0%80", "/..%2f..%2fetc/passwd", "//", "/;x", "/%0d%0aX:1")
    )
    def test_that_is_no_route_is_not_found(self, client, path):
        for method in ("GET", "POST", "PATCH", "DELETE", "PUT", "TRACE", "PROPFIND", "X" * 50):
            response = client.generic(method, API + path)
            assert checked_error(response, f"{method} {path}")
            assert response.status_code in (404, 405)


@pytest.mark.once
class TestMethod:
    @pytest.mark.parametrize("path", sorted({route.path for route in routes()}))
    def test_that_is_not_there_is_405_with_allow(self, client, mine, path):
        there = {route.method for route in routes() if route.path == path}
        url = at(next(route for route in routes() if route.path == path), mine)
        missing = {"GET", "POST", "PATCH", "PUT", "DELETE", "TRACE", "PROPFIND"} - there
        before = everything()
        for method in missing:
            response = client.generic(method, url, b'{"a": 1}', "application/json")
            assert checked_error(response, f"{method} {path}")
            assert response.status_code == 405
            assert there <= set(response["Allow"].split(", "))
        assert everything() == before

    @pytest.mark.parametrize(
        "header", ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
    )
    def test_is_not_overridden_by_a_header(self, client, mine, header):
        url = f"{API}/appointments/{mine.id_of('appointment')}"
        assert client.get(url, headers={header: "DELETE"}).status_code == 200
        assert client.get(url).json()["data"]["status"] == "scheduled"


ONE_AT_EACH_PATH = list({route.path: route for route in routes()}.values())


@pytest.mark.once
class TestHeaders:
    @pytest.mark.parametrize("route", ONE_AT_EACH_PATH, ids=str)
    def test_that_make_no_sense_are_rejected_or_ignored(self, client, mine, route):
        url = at(route, mine)
        read = route.method == "GET"
        assert checked_error(client.generic(route.method, url, HTTP_ACCEPT="image/png"), route)
        assert checked_error(client.generic(route.method, f"{url}?format=exe"), route)
        for name, value in (
            ("HTTP_ACCEPT", "a" * 5000), ("HTTP_ACCEPT", "\xff\xfe"), ("HTTP_ACCEPT", "*/*;q=x"),
            ("HTTP_X_REQUEST_ID", "\r\nX: 1"), ("HTTP_IF_NONE_MATCH", '"' * 999), ("HTTP_IF_MATCH", "\x00"),
            ("CONTENT_LENGTH", "-1"), ("CONTENT_LENGTH", "x"), ("CONTENT_LENGTH", "9" * 40),
            ("HTTP_RANGE", "bytes=0-1,2-"), ("HTTP_CONTENT_ENCODING", "gzip"), ("HTTP_EXPECT", "x"),
            ("HTTP_ORIGIN", "null"), ("HTTP_COOKIE", "sessionid=\xff; csrftoken="), ("HTTP_AUTHORIZATION", "\xff"),
        ):  # fmt: skip
            if read or name != "HTTP_X_REQUEST_ID":
                checked_error(
                    client.generic(route.method, url, **{name: value}), f"{route} {name}={value!r}"
                )


class TestQuery:
    @pytest.mark.parametrize("route", [r for r in routes() if r.method == "GET"], ids=str)
    def test_of_any_parameter_and_value_gets_a_documented_response(self, client, mine, route):
        url = at(route, mine)
        operation = documented.operations_at(route.path)["get"]
        parameters = [
            (parameter["name"], parameter["schema"])
            for parameter in map(documented.resolve, operation["parameters"])
            if parameter["in"] == "query"
        ]
        for query in all_then_each({name: values_in_query(schema) for name, schema in parameters}):
            text = "&".join(f"{name}={value}" for name, value in query.values.items())
            response = client.get(f"{url}?{text}")
            checked_error(response, f"{route} {text}")
            query.note(response)
        for query in (
            "nothing=1", "%ff=1", "format=%ff", "format=%ED%A0%80", "a[]=1", "page[]=1", "page=1&page=2", "=", "&&", "a" * 4000,
            "&".join(f"p{number}=1" for number in range(1200)),
        ):  # fmt: skip
            checked_error(client.get(f"{url}?{query}"), f"{route} {query[:60]}")


@pytest.mark.once
class TestUnknownParameter:
    @pytest.mark.parametrize("route", routes(), ids=str)
    def test_is_rejected(self, client, mine, route):
        url = at(route, mine)
        before = everything()
        for query in ("nothing=1", "%ff=1", "id[]=1", "reason=a&reason=b", "business_id=1"):
            response = client.generic(route.method, f"{url}?{query}", b"{}", "application/json")
            assert checked_error(response, f"{route} {query}")
            assert response.status_code == 422
        assert everything() == before


WRITES = [route for route in routes() if route.method in ("POST", "PATCH")]


def whole_body(route, mine):
    """A body that the route takes."""
    start = (timezone.now() + timedelta(days=5)).replace(hour=9, minute=0, second=0, microsecond=0)
    booking = {
        "customer_id": mine.id_of("customer"),
        "service_id": mine.id_of("service"),
        "start_time": start.isoformat(),
    }
    series = booking | {"frequency": "weekly", "count": 2}
    return {
        "POST /appointments": booking,
        "POST /appointments/holds": {
            "service_id": mine.id_of("service"),
            "start_time": start.isoformat(),
        },
        "POST /appointments/series": series,
        "POST /visits": {
            "customer_id": mine.id_of("customer"),
            "services": [{"service_id": mine.id_of("service")}],
            "start_time": start.isoformat(),
        },
        "POST /appointments/series/preview": series,
        "POST /waitlist": {
            "customer_id": mine.id_of("customer"),
            "service_id": mine.id_of("service"),
            "date_from": f"{start:%Y-%m-%d}",
        },
        "POST /customers": {"name": "Asha", "phone": "+919876543210"},
        "POST /services": {"name": "Cleaning", "duration_minutes": 30},
        "POST /staff": {"name": "Meera"},
        "POST /resources": {"name": "Chair", "kind": "chair"},
        "POST /staff/{id}/out": {
            "start_time": "2036-01-01T00:00:00Z",
            "end_time": "2036-01-02T00:00:00Z",
        },
        "POST /closures": {"reason": "Holiday", "first_date": "2030-01-01"},
        "POST /calendars": {"staff_id": 1, "ics_url": "https://calendars.example/a.ics"},
        "POST /webhooks": {"url": "https://example.com/hook"},
        "POST /webhooks/{id}/test": {"event_type": "appointment.booked"},
        "POST /webhooks/{id}/recover": {"since": "2026-01-01T00:00:00Z"},
    }.get(f"{route.method} {route.path.removeprefix(API)}", {})


@pytest.mark.once
class TestBrokenBody:
    @pytest.mark.parametrize("route", WRITES, ids=str)
    def test_writes_nothing(self, client, mine, route):
        url = at(route, mine)
        takes_none = "requestBody" not in documented.operations_at(route.path)[route.method.lower()]
        optional = (b"",) if takes_none or not whole_body(route, mine) else ()
        bodies = [body for body in BAD_BODIES if body not in optional]
        if takes_none:
            bodies = [body for body in bodies if not body.startswith((b'{"__', b'{"id"', b'{"bus'))]
        bodies.append(b'{"notes": "%s"}' % (b"x" * 1024 * 1024))
        reject_all(
            client,
            [
                (f"{route} {body[:40]!r}", lambda body=body: client.generic(
                    route.method, url, body, "application/json"
                ))
                for body in bodies
            ],
        )  # fmt: skip


class TestBody:
    @pytest.mark.parametrize("route", WRITES, ids=str)
    def test_of_any_value_in_any_field_gets_a_documented_response(self, client, mine, route):
        operation = documented.operations_at(route.path)[route.method.lower()]
        if "requestBody" not in operation:
            pytest.skip("takes no body")
        content = operation["requestBody"]["content"]["application/json"]
        whole = whole_body(route, mine)
        fields = documented.resolve(content["schema"])["properties"]
        for body in all_then_each({name: values_for(schema) for name, schema in fields.items()}):
            response = client.generic(
                route.method,
                at(route, mine),
                json.dumps({**whole, **body.values}),
                "application/json",
            )
            checked_error(response, f"{route} {body.values!r:.600}")
            body.note(response)

    @pytest.mark.parametrize("text", TEXTS)
    def test_keeps_any_text_as_it_came(self, client, mine, text):
        for path, name in (("customers", "customer"), ("appointments", "appointment")):
            url = f"{API}/{path}/{mine.id_of(name)}"
            body = {"notes": text, "metadata": {text: text}}
            assert client.patch(url, body).status_code == 200
            shown = client.get(url).json()["data"]
            assert (shown["notes"], shown["metadata"]) == (text, {text: text})
