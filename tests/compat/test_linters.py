"""Both editions of the OpenAPI document with linters in common use, in their strictest published rules."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.compat import documents
from tests.compat.environments import document_tool

# By templates alone, `/appointments/holds/status` fits both; ids are integers, so nothing does.
# tests/test_schema.py checks that no URL fits two paths of the document.
AMBIGUOUS_BY_TEMPLATE = [
    ("/api/v1/appointments/{id}/status", "/api/v1/appointments/holds/{id}"),
    ("/api/v1/appointments/{id}/status", "/api/v1/appointments/series/{id}"),
    ("/api/v1/webhooks/{id}/deliveries", "/api/v1/webhooks/deliveries/{id}"),
]

pytestmark = [pytest.mark.once, pytest.mark.parametrize("version", documents.VERSIONS)]


def problems(folder, *command):
    """The JSON that a linter prints."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.lstrip()[:1] in ("{", "["), done.stderr[-3000:]
    return json.loads(done.stdout)


def test_spectral_finds_nothing(tmp_path, version):
    document = documents.write(tmp_path, version)
    rules = tmp_path / "rules.yaml"
    rules.write_text('extends: ["spectral:oas"]\n')
    command = [document_tool("spectral"), "lint", "--ruleset", rules, "--format", "json", "--quiet"]
    found = problems(tmp_path, *command, "--fail-severity", "hint", document)
    assert [(one["code"], one["path"], one["message"]) for one in found] == []


def test_redocly_finds_nothing(tmp_path, version):
    document = documents.write(tmp_path, version)
    command = [document_tool("redocly"), "lint", "--extends=recommended-strict", "--format=json"]
    found = problems(tmp_path, *command, document)["problems"]
    messages = [
        f"Paths should resolve unambiguously. Found two ambiguous paths: `{one}` and `{other}`."
        for one, other in AMBIGUOUS_BY_TEMPLATE
    ]
    assert [one["message"] for one in found] == messages
