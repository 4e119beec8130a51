"""deploy/kubernetes against the schemas of the Kubernetes API."""

from __future__ import annotations

import subprocess

import pytest

from tests.compat.environments import is_installed, python_of, skip_reason
from tests.stack import ROOT

NAME = "kubernetes"
OBJECTS = sorted(
    path for path in (ROOT / "deploy/kubernetes").glob("*.yaml") if path.stem != "kustomization"
)
VALIDATE = """
import sys, yaml, kubernetes_validate
for one in yaml.safe_load_all(open(sys.argv[1])):
    kubernetes_validate.validate(one, sys.argv[2], strict=True)
"""

pytestmark = pytest.mark.skipif(not is_installed(NAME), reason=skip_reason(NAME))


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ("1.29", "1.33"))
def test_objects_have_the_schema(path, version):
    command = [str(python_of(NAME)), "-c", VALIDATE, str(path), version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
