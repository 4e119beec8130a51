"""Where the Python SDK is, and how a program that uses it is run.

Its package is called `kaivox`, as the server's is: so it is imported in processes of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent.parent / "integrations" / "python-sdk"


def environment(**variables: str) -> dict[str, str]:
    """An environment in which `import kaivox` is the SDK."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KAIVOX_", "DJANGO_", "PYTEST_", "COV_"))
    }
    return {**inherited, "PYTHONPATH": str(FOLDER / "src"), "NO_COLOR": "1", **variables}


def run(
    *command: str | Path, timeout: float = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python with these arguments in the folder of the SDK."""
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=FOLDER,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
