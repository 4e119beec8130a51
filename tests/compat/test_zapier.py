"""The Zapier app: Zapier's own validation of it, and its triggers, actions and searches against a server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import factories
from tests.compat.environments import is_installed, node_modules_of, skip_reason

ZAPIER = "zapier"
INTEGRATIONS = Path(__file__).parent.parent.parent / "integrations"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not is_installed(ZAPIER), reason=skip_reason(ZAPIER)),
]


@pytest.mark.django_db(transaction=True)
def test_app_works_against_a_server(live_server, business, api_key, tmp_path):
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    app = tmp_path / "app"
    shutil.copytree(INTEGRATIONS / "zapier", app, ignore=shutil.ignore_patterns("node_modules"))
    (app / "node_modules").symlink_to(node_modules_of(ZAPIER))
    done = subprocess.run(
        ["node", "--test", "test/app.test.js"], cwd=app,
        env={**os.environ, "KAIVOX_URL": live_server.url, "KAIVOX_API_KEY": api_key},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert api_key not in done.stdout + done.stderr
