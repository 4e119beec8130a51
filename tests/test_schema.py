"""The OpenAPI document: complete, valid, in the repository, and what the API returns."""

from __future__ import annotations

import copy
import csv
import inspect
import io
import json
import re
import time
from datetime import timedelta
from pathlib import Path

import drf_spectacular.validation
import jsonschema_rs
import pytest
import yaml
from django.test import Client
from django.utils import timezone
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers

from calls.models import ProviderAccount
from kaivox.api.openapi.version_3_0 import drop_unused, to_openapi_3_0
from kaivox.api.serializers import ReadSerializer, WriteSerializer
from tests import documented
from tests.calls.providers import signature
from tests.object_graph import make_world, routes
from tests.test_hostile import at

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def generated():
    with GENERATOR_STATS.silence():
        GENERATOR_STATS.reset()
        document = SchemaGenerator().get_schema(request=None, public=True)
        warnings = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    return document, warnings


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def check_is_valid(document, edition):
    """As `drf_spectacular.validation.validate_schema`, which takes 20 times as long."""
    folder = Path(drf_spectacular.validation.__file__).parent
    metaschema = json.loads((folder / f"openapi_{edition}_schema.json").read_text())
    jsonschema_rs.validate(metaschema, json.loads(json.dumps(document)))


class TestDocument:
    def test_is_made_without_warnings(self, generated):
        assert generated[1] == []

    def test_is_valid(self, generated):
        check_is_valid(generated[0], "3_1")

    def test_is_the_one_in_the_repository(self, generated):
        committed = json.loads(documented.DOCUMENT.read_text(encoding="utf-8"))
        assert json.loads(json.dumps(generated[0])) == committed, (
            "Run `make schema` and read the diff."
        )

    def test_names_every_operation_once_and_well(self, generated):
        names = [operation["operationId"] for _, _, operation in operations(generated[0])]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)

    def test_has_every_route_of_the_contract(self, generated):
        routes = {(method.upper(), path) for method, path, _ in operations(generated[0])}
        assert routes >= {tuple(line.split(" ")) for line in CONTRACT.strip().splitlines()}

    def test_has_the_errors_of_every_operation(self, generated):
        for _, path, operation in operations(generated[0]):
            if path.startswith("/voice/"):  # neither key nor quota
                continue
            assert {"401", "403", "422", "429", "500", "503"} <= set(operation["responses"]), path

    def test_explains_every_parameter(self, generated):
        dumb = [
            (path, parameter["name"])
            for _, path, operation in operations(generated[0])
            for parameter in map(documented.resolve, operation["parameters"])
            if not parameter.get("description")
        ]
        assert dumb == []

    def test_closes_every_body(self, generated):
        for _, path, operation in operations(generated[0]):
            body = operation.get("requestBody")
            if body:
                schema = documented.resolve(body["content"]["application/json"]["schema"])
                assert schema["additionalProperties"] is False, path

    def test_describes_every_schema_and_field(self, generated):
        document = generated[0]
        silent = [name for name, schema in schemas(document) if not schema.get("description")]
        assert silent == [], "kaivox/pages/openapi_texts.py describes them."
        fields = {
            f"{owner}.{name}"
            for owner, part in [*schemas(document), ("paths", document["paths"])]
            for name, field in fields_in(part)
            if "$ref" not in field and not field.get("description")
        }
        assert fields == set(), "kaivox/pages/openapi_texts.py describes them."

    def test_describes_each_field_of_an_object_differently(self, generated):
        for part in dicts_in(generated[0]):
            if isinstance(part.get("properties"), dict):
                texts = [one.get("description") for one in part["properties"].values()]
                known = [text for text in texts if text]
                assert len(set(known)) == len(known), known

    def test_shows_no_docstring_of_a_base_class(self, generated):
        text = json.dumps(generated[0])
        for base in (ReadSerializer, WriteSerializer):
            assert inspect.getdoc(base).splitlines()[0] not in text

    def test_shows_no_docstring_of_a_serializer(self, generated):
        """They are for readers of the code; kaivox/pages/openapi_texts.py has those for users."""
        docstrings = {
            " ".join(written.split())
            for kind in subclasses(serializers.BaseSerializer)
            if (written := kind.__dict__.get("__doc__"))
        }
        shown = {" ".join(schema["description"].split()) for _, schema in schemas(generated[0])}
        assert shown & docstrings == set()

    def test_is_readable_for_generators(self, generated):
        """Each of these broke a client that a widespread generator made."""
        document = generated[0]
        tags = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
        events = {one["post"]["tags"][0] for one in document["webhooks"].values()}
        assert not tags & events
        assert tags | events == {tag["name"] for tag in document["tags"]}
        assert not {name for name, _ in schemas(document) if name.startswith("New")}
        assert "Error" not in document["components"]["schemas"]
        for kind in document["components"]["securitySchemes"].values():
            assert (kind["type"], kind.get("in")) != ("apiKey", "query")
        assert document["servers"][0]["url"].startswith("http")
        assert document["info"]["contact"]
        assert document["info"]["license"]
        for _, part in [*schemas(document), ("paths", document["paths"])]:
            for name, field in fields_in(part):
                assert name != "success" or "const" not in field
                assert field.get("format") != "decimal"
                assert "\\x" not in field.get("pattern", "")
                assert field.get("pattern", "").isascii()
                if name == "id" or name.endswith("_id"):
                    assert field.get("format") == "int64" or "integer" not in field.get("type", ())

    def test_names_every_envelope(self, generated):
        """Generators call an anonymous schema by its position: `ListSlots200Response`."""
        anonymous = [
            operation["operationId"]
            for _, _, operation in operations(generated[0])
            for response in operation["responses"].values()
            for media in documented.resolve(response).get("content", {}).values()
            if "properties" in media["schema"]
        ]
        assert anonymous == []

    def test_offers_no_choice_between_strings(self, generated):
        """Go's generator writes code that needs a library, others none that compiles."""
        for name, schema in schemas(generated[0]):
            for field, part in fields_in(schema):
                options = [*part.get("oneOf", ()), *part.get("anyOf", ())]
                assert all("$ref" in one or one["type"] == "null" for one in options), (name, field)

    def test_has_no_component_that_is_not_used(self, generated):
        copied = copy.deepcopy(generated[0])
        drop_unused(copied)
        assert copied == generated[0]

    def test_has_an_example_of_every_body_and_success(self, generated):
        for _, path, operation in operations(generated[0]):
            contents = [operation.get("requestBody", {})]
            contents += [one for code, one in operation["responses"].items() if code[0] == "2"]
            for content in contents:
                media = content.get("content", {}).get("application/json")
                if media is None:
                    continue
                validator = documented.validator(json.dumps(media["schema"]))
                example = json.loads(json.dumps(media["example"]))
                assert validator.is_valid(example), (path, [*validator.iter_errors(example)])

    def test_has_an_example_of_every_export(self, generated):
        """The rows of the JSON example, as the export writes them."""
        exports = 0
        for _, path, operation in operations(generated[0]):
            content = operation["responses"].get("200", {}).get("content", {})
            if "text/csv" not in content:
                continue
            [row] = content["application/json"]["example"]["data"]
            assert json.loads(content["application/x-ndjson"]["example"]) == row, path
            header, cells = csv.reader(io.StringIO(content["text/csv"]["example"]))
            assert (header, len(cells)) == (list(row), len(row)), path
            exports += 1
        assert exports >= 5

    def test_has_every_event(self, generated):
        from webhooks.event_types import EVENT_TYPES

        assert set(generated[0]["webhooks"]) == set(EVENT_TYPES)

    def test_shows_events_that_are_as_it_says(self, generated):
        for item in generated[0]["webhooks"].values():
            media = item["post"]["requestBody"]["content"]["application/json"]
            validator = documented.validator(json.dumps(media["schema"]))
            validator.validate(json.loads(json.dumps(media["example"])))


def set_to_existing(body, mine):
    """`body` with ids of rows that exist, and times at which they can be booked."""
    day = f"{timezone.now() + timedelta(days=5):%Y-%m-%d}"
    values = {f"{kind}_id": mine.id_of(kind) for kind in ("customer", "service", "staff")}
    values |= {"appointment_date": day, "date_from": day, "appointment_time": "14:30"}
    values |= {"services": [{"service_id": mine.id_of("service")}]}
    return body | {name: value for name, value in values.items() if name in body}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "route", [one for one in routes() if one.method in ("POST", "PATCH")], ids=str
)
def test_examples_of_bodies_are_accepted(client, business, route):
    operation = documented.operations_at(route.path)[route.method.lower()]
    mine = make_world(business)
    body = None
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        body = set_to_existing(example, mine)
    url = at(route, mine)
    response = client.generic(route.method, url, json.dumps(body or {}), "application/json")
    assert response.status_code < 300, response.content


@pytest.mark.django_db
def test_the_example_of_a_signed_call_is_accepted(business):
    secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    ProviderAccount.objects.create(business=business, provider="kaivox", secret=secret)
    operation = documented.document()["paths"]["/voice/kaivox/{slug}"]["post"]
    body = json.dumps(operation["requestBody"]["content"]["application/json"]["example"]).encode()
    url = f"/voice/kaivox/{business.slug}"
    headers = signature("kaivox", body, secret=secret, url=url, at=time.time())
    response = Client().post(url, body, "application/json", headers=headers)
    assert response.json()["data"]["state"] == "read"


class TestVersion30:
    """The edition for generators that do not read 3.1."""

    @pytest.fixture
    def older(self, generated):
        return to_openapi_3_0(generated[0])

    def test_is_valid(self, older):
        check_is_valid(older, "3_0")
        assert older["openapi"] == "3.0.3"

    def test_has_no_construct_of_3_1(self, older):
        assert "webhooks" not in older
        assert "AppointmentBookedEvent" not in older["components"]["schemas"]
        assert not [
            part
            for part in dicts_in(older)
            if isinstance(part.get("type"), list)
            or part.get("type") == "null"
            or {"const", "propertyNames"} & part.keys()
            or isinstance(part.get("examples"), list)
        ]

    def test_has_the_same_operations(self, older, generated):
        names = [operation["operationId"] for _, _, operation in operations(older)]
        assert names == [operation["operationId"] for _, _, operation in operations(generated[0])]

    def test_allows_null_where_3_1_does(self, older):
        fields = older["components"]["schemas"]["Call"]["properties"]
        assert fields["customer_id"]["nullable"] is True
        assert fields["customer_id"]["type"] == "integer"

    def test_allows_null_in_the_place_of_an_object(self, older):
        """Beside a reference `nullable` has no effect: the target still rejects null."""
        created_by = older["components"]["schemas"]["Endpoint"]["properties"]["created_by"]
        assert (created_by["type"], created_by["nullable"]) == ("object", True)
        assert "name" in created_by["properties"]
        assert not [one for one in dicts_in(older) if one.get("nullable") and "allOf" in one]

    @pytest.mark.django_db
    def test_is_served_where_asked(self):
        response = Client().get("/api/schema?version=3.0", headers={"Origin": "https://a.example"})
        assert response.json()["openapi"] == "3.0.3"
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["ETag"] != Client().get("/api/schema")["ETag"]
        assert Client().get("/api/schema?version=2").status_code == 422


class TestServing:
    @pytest.mark.parametrize("accept", ("", "*/*", "application/json", "text/html, */*"))
    def test_is_json(self, accept):
        response = Client().get("/api/schema", headers={"Accept": accept})
        assert response["Content-Type"] == "application/json; charset=utf-8"
        assert response.json()["openapi"] == "3.1.0"

    @pytest.mark.parametrize("query", ("", "?version=3.0", "?format=yaml"))
    def test_has_a_head(self, query):
        head, whole = (ask(f"/api/schema{query}") for ask in (Client().head, Client().get))
        assert (head.status_code, head["ETag"], head.content) == (200, whole["ETag"], b"")

    @pytest.mark.parametrize("asked", ({"format": "yaml"}, {}))
    def test_is_yaml_where_asked(self, asked):
        accept = {} if asked else {"Accept": "application/yaml"}
        response = Client().get("/api/schema/", asked, headers=accept)
        assert response["Content-Type"].startswith("application/yaml")
        assert yaml.load(response.content, yaml.CSafeLoader)["openapi"] == "3.1.0"

    def test_is_not_sent_twice(self):
        tag = Client().get("/api/schema")["ETag"]
        assert Client().get("/api/schema", headers={"If-None-Match": tag}).status_code == 304

    def test_rejects_in_the_envelope(self):
        for response in (Client().post("/api/schema"), Client().get("/api/schema?format=exe")):
            assert response.json()["success"] is False
            assert response.status_code in (405, 406)


def subclasses(kind):
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def schemas(document):
    return list(document["components"]["schemas"].items())


def dicts_in(part):
    if isinstance(part, dict):
        yield part
    inner = part.items() if isinstance(part, dict) else enumerate(part)
    for name, one in inner:
        if isinstance(one, dict | list) and name not in ("example", "default", "value"):
            yield from dicts_in(one)


def fields_in(part):
    for one in dicts_in(part):
        if isinstance(one.get("properties"), dict):
            yield from one["properties"].items()


CONTRACT = """
GET /api/v1
GET /api/v1/business
GET /api/v1/appointments
POST /api/v1/appointments
GET /api/v1/appointments/{id}
PATCH /api/v1/appointments/{id}
DELETE /api/v1/appointments/{id}
PATCH /api/v1/appointments/{id}/status
GET /api/v1/appointments/slots
GET /api/v1/customers
POST /api/v1/customers
GET /api/v1/customers/{id}
PATCH /api/v1/customers/{id}
GET /api/v1/calls
GET /api/v1/calls/{id}
GET /api/v1/staff
GET /api/v1/staff/{id}
GET /api/v1/services
GET /api/v1/services/{id}
GET /api/v1/webhooks
POST /api/v1/webhooks
GET /api/v1/webhooks/{id}
PATCH /api/v1/webhooks/{id}
DELETE /api/v1/webhooks/{id}
POST /api/v1/webhooks/{id}/test
POST /api/v1/webhooks/{id}/rotate-secret
GET /api/v1/webhooks/{id}/deliveries
GET /api/v1/webhooks/deliveries/{id}
POST /api/v1/webhooks/deliveries/{id}/redeliver
GET /api/v1/webhooks/event-types
"""
