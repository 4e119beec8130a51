"""compose.yaml against the types of the Compose specification, where values of variables are not inserted,
and the Dockerfile against all rules of hadolint."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from tests.compat.environments import is_installed, python_of, skip_reason
from tests.stack import ROOT

NAME = "containers"
# Keys that `<<` merges are resolved by the reader of YAML, before.
VALIDATE = "import sys, compose_spec; compose_spec.PyCompose.from_json(sys.stdin.read())"

pytestmark = pytest.mark.skipif(not is_installed(NAME), reason=skip_reason(NAME))


def validate(text):
    # Docker accepts a version with a digest, as those who update images write it; the package does not.
    text = re.sub(r"@sha256:[0-9a-f]{64}$", "", text, flags=re.M)
    return subprocess.run(
        [str(python_of(NAME)), "-c", VALIDATE],
        input=json.dumps(yaml.safe_load(text)), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_compose_file_has_the_types_of_the_specification():
    done = validate((ROOT / "compose.yaml").read_text())
    assert done.returncode == 0, done.stderr


def test_an_unknown_key_is_an_error():
    text = (ROOT / "compose.yaml").read_text().replace("mem_limit:", "memory_limit:", 1)
    assert "memory_limit" in validate(text).stderr


class TestDockerfile:
    @pytest.fixture
    def lint(self):
        program = python_of(NAME).with_name("hadolint")
        return lambda text: subprocess.run(
            [str(program), "-"], input=text, capture_output=True, text=True, check=False
        )

    def test_breaks_no_rule(self, lint):
        done = lint((ROOT / "Dockerfile").read_text())
        assert (done.returncode, done.stdout) == (0, "")

    def test_an_image_without_a_version_is_an_error(self, lint):
        text = re.sub(
            r"^FROM python:\S+", "FROM python", (ROOT / "Dockerfile").read_text(), flags=re.M
        )
        assert "DL3006" in lint(text).stdout
