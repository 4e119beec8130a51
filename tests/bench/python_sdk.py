"""Cost of the Python SDK compared with httpx: runs its own bench, in a process in which `kaivox` is
the SDK's package.

    make bench ARGS=python_sdk
"""

from __future__ import annotations

import subprocess
import sys

from tests.sdks import python_sdk


def main() -> int:
    command = [sys.executable, "bench.py"]
    environment = python_sdk.environment()
    return subprocess.run(command, cwd=python_sdk.FOLDER, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
