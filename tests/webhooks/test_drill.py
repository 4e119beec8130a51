"""The drill at a small size: real workers, killed while they send."""

from __future__ import annotations

import subprocess
import sys

from tests.stack import ROOT


def test_killed_workers_lose_nothing():
    drill = [sys.executable, "-m", "tests.drills.webhooks", "--divide", "30"]
    done = subprocess.run(
        [*drill, "--only", "killed_workers"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
