"""The n8n nodes: n8n's own build and linter, and the nodes' functions against a server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import factories
from tests.compat.environments import is_installed, node_modules_of, skip_reason

N8N = "n8n"
FOLDER = Path(__file__).parent.parent.parent / "integrations" / "n8n"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not is_installed(N8N), reason=skip_reason(N8N)),
]


def run(folder, *command, **variables):
    """What a command in this folder prints; it has to succeed."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "NO_COLOR": "1", **variables},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package, built by n8n's command line."""
    folder = tmp_path_factory.mktemp("n8n") / "n8n-nodes-kaivox"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (folder / "node_modules").symlink_to(node_modules_of(N8N))
    run(folder, "node_modules/.bin/n8n-node", "build")
    return folder


def test_linter_finds_nothing_that_n8n_cloud_rejects(package):
    run(package, "node_modules/.bin/n8n-node", "lint")


@pytest.mark.django_db(transaction=True)
def test_nodes_work_against_a_server(package, live_server, business, api_key):
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    for number in range(105):
        factories.make_customer(business, name=f"Customer {number}")
    variables = {"KAIVOX_URL": live_server.url, "KAIVOX_API_KEY": api_key}
    printed = run(package, "node", "--test", "test/nodes.test.mjs", **variables)
    assert api_key not in printed
