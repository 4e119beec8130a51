"""The Postman collection: its requests and scripts. tests/compat/test_collections.py runs it."""

from __future__ import annotations

import json
import re

import pytest

from kaivox.pages.openapi_document import document
from kaivox.pages.postman import collection_of

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def requests():
    collection = collection_of(document())
    return [request for folder in collection["item"] for request in folder["item"]]


def scripts_of(request, listen):
    return [
        "\n".join(event["script"]["exec"])
        for event in request["event"]
        if event["listen"] == listen
    ]


def test_has_a_request_of_every_operation(requests):
    operations = [
        (method.upper(), re.sub(r"\{(\w+)\}", r":\1", path))
        for path, item in document()["paths"].items()
        for method in item
    ]
    sent = [
        (one["request"]["method"], f"/{'/'.join(one['request']['url']['path'])}")
        for one in requests
    ]
    assert sorted(sent) == sorted(operations)


def test_tests_every_response(requests):
    for request in requests:
        [script] = scripts_of(request, "test")
        assert "pm.test(" in script
        assert "pm.response.code" in script


def test_uses_what_bruno_translates(requests):
    for request in requests:
        for event in request["event"]:
            script = "\n".join(event["script"]["exec"])
            assert not re.search(r"pm\.variables|pm\.response\.to\b", script), request["name"]
        assert len(scripts_of(request, "prerequest")) <= 1, "Bruno runs the last one alone."


@pytest.mark.parametrize("method", ("PATCH", "DELETE"))
def test_changes_only_what_it_made(requests, method):
    """A request that changes an object is skipped where an earlier request has not created it."""
    created = set()
    changed = 0
    for request in requests:
        [script] = scripts_of(request, "test")
        if request["request"]["method"] == "POST":
            created |= set(re.findall(r'pm\.collectionVariables\.set\("(\w+)"', script))
        if request["request"]["method"] == method:
            [variable] = [one["value"][2:-2] for one in request["request"]["url"]["variable"]]
            assert variable in created, request["name"]
            [before] = scripts_of(request, "prerequest")
            assert json.dumps(variable) in before
            changed += 1
    assert changed >= 3
