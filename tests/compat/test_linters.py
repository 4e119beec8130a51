"""Both editions of the OpenAPI document with linters in common use, in their strictest published rules."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.compat import documents
from tests.compat.environments import document_tool

REDOCLY_RULES = Path(__file__).with_name("redocly.yaml")

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
    command = [document_tool("redocly"), "lint", f"--config={REDOCLY_RULES}", "--format=json"]
    assert problems(tmp_path, *command, document)["problems"] == []
    # The rules are applied, and strictly: this one is a warning by default.
    broken = json.loads(document.read_text(encoding="utf-8"))
    del broken["paths"]["/api/v1/visits"]["post"]["operationId"]
    document.write_text(json.dumps(broken), encoding="utf-8")
    [found] = problems(tmp_path, *command, document)["problems"]
    assert (found["ruleId"], found["severity"]) == ("operation-operationId", "error")
