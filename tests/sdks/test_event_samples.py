"""Examples of events in the Zapier app."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

SCRIPT = Path(__file__).parent.parent.parent / "integrations" / "zapier" / "generate.py"


def test_are_those_of_the_openapi_document():
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
