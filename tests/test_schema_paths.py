"""No URL fits two paths of the OpenAPI document, which a linter cannot see in their templates."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from kaivox.pages.openapi_document import document
from tests import documented

pytestmark = pytest.mark.once


class TestPaths:
    def test_has_no_url_of_two_paths(self):
        """`/appointments/{id}/status` and `/appointments/holds/{id}`: an id is a number, `holds` and
        `status` are none."""
        assert ambiguous(document()["paths"]) == []

    @pytest.mark.parametrize(
        ("template", "kind", "is_ambiguous"),
        (
            ("/api/v1/appointments/{id}/status", "string", False),
            ("/api/v1/appointments/{id}/{part}", "integer", False),
            ("/api/v1/appointments/holds/{number}", "integer", True),
            ("/api/v1/appointments/holds/status", "integer", False),
            ("/api/v1/{list}/holds/{id}", "string", True),
        ),
    )
    def test_would_name_a_url_of_two_paths(self, template, kind, is_ambiguous):
        parameters = [
            {"name": name, "in": "path", "schema": {"type": kind}}
            for name in re.findall(r"{(\w+)}", template)
        ]
        paths = {
            "/api/v1/appointments/holds/{id}": document()["paths"][
                "/api/v1/appointments/holds/{id}"
            ],
            template: {"get": {"parameters": parameters}},
        }
        assert bool(ambiguous(paths)) == is_ambiguous


def ambiguous(paths):
    """The pairs of paths of which some URL fits both."""
    known = {path: segments(path, item) for path, item in paths.items()}
    return [
        (one, other)
        for (one, left), (other, right) in combinations(known.items(), 2)
        if len(left) == len(right) and all(map(overlap, left, right))
    ]


def segments(path, item):
    """Of each segment of a path: the pattern of what it matches, and one such text."""
    of_types = {"integer": (r"\d+", "1"), "string": ("[^/]+", "text")}
    parameters = [one for operation in item.values() for one in operation["parameters"]]
    variables = {
        f"{{{one['name']}}}": of_types[one["schema"]["type"]]
        for one in map(documented.resolve, parameters)
        if one["in"] == "path"
    }
    return [variables.get(part, (re.escape(part), part)) for part in path.split("/")]


def overlap(one, other):
    return bool(re.fullmatch(one[0], other[1]) or re.fullmatch(other[0], one[1]))
