"""The OpenAPI document: complete, valid, in the repository, and what the API answers."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests import documented


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


class TestDocument:
    def test_is_made_without_warnings(self, generated):
        assert generated[1] == []

    def test_is_valid(self, generated):
        validate_schema(generated[0])

    def test_is_the_one_in_the_repository(self, generated):
        kept = json.loads(documented.DOCUMENT.read_text(encoding="utf-8"))
        assert json.loads(json.dumps(generated[0])) == kept, "Run `make schema` and read the diff."

    def test_names_every_operation_once_and_well(self, generated):
        names = [operation["operationId"] for _, _, operation in operations(generated[0])]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)

    def test_has_every_route_of_the_contract(self, generated):
        routes = {(method.upper(), path) for method, path, _ in operations(generated[0])}
        assert routes >= {tuple(line.split(" ")) for line in CONTRACT.strip().splitlines()}

    def test_says_of_every_operation_how_it_fails(self, generated):
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

    def test_has_every_event(self, generated):
        from webhooks.event_types import EVENT_TYPES

        assert set(generated[0]["webhooks"]) == set(EVENT_TYPES)

    def test_shows_events_that_are_as_it_says(self, generated):
        for item in generated[0]["webhooks"].values():
            media = item["post"]["requestBody"]["content"]["application/json"]
            validator = documented.validator(json.dumps(media["schema"]))
            validator.validate(json.loads(json.dumps(media["example"])))


class TestServing:
    @pytest.mark.parametrize("accept", ("", "*/*", "application/json", "text/html, */*"))
    def test_is_json(self, accept):
        response = Client().get("/api/schema", headers={"Accept": accept})
        assert response["Content-Type"] == "application/json; charset=utf-8"
        assert response.json()["openapi"] == "3.1.0"

    @pytest.mark.parametrize("asked", ({"format": "yaml"}, {}))
    def test_is_yaml_where_asked(self, asked):
        accept = {} if asked else {"Accept": "application/yaml"}
        response = Client().get("/api/schema/", asked, headers=accept)
        assert response["Content-Type"].startswith("application/yaml")
        assert yaml.safe_load(response.content)["openapi"] == "3.1.0"

    def test_is_not_sent_twice(self):
        tag = Client().get("/api/schema")["ETag"]
        assert Client().get("/api/schema", headers={"If-None-Match": tag}).status_code == 304

    def test_refuses_in_the_envelope(self):
        for response in (Client().post("/api/schema"), Client().get("/api/schema?format=exe")):
            assert response.json()["success"] is False
            assert response.status_code in (405, 406)


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
