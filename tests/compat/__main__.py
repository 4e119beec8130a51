"""`make compat`: installs other people's clients, generators, linters and SDKs, each set in an environment
of its own, and runs the tests that need them. Takes three to six minutes on two cores with nothing installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.compat import CHOSEN
from tests.compat.environments import (
    CLIENTS,
    DOCUMENT_TOOLS,
    NPM_OVERRIDES,
    NPM_PACKAGES,
    folder_of,
    is_installed,
    mark_installed,
    packages_of,
    python_of,
)

_TESTS: Final = Path(__file__).parent
# Ends what hangs: a registry that is slow today, or other work on the machine, must not fail the tests.
_LIMIT_SECONDS: Final = 900
_TEST_SECONDS: Final = 450  # of them, left for the tests
# Two processes run the tests: one these, the other the rest. About equally long.
_FIRST_HALF: Final = ("test_generated_clients.py", "test_linters.py")


def main() -> int:
    started = time.monotonic()
    deadline = started + _LIMIT_SECONDS
    names = (
        DOCUMENT_TOOLS,
        *(name for name in (*CLIENTS, *NPM_PACKAGES) if name != DOCUMENT_TOOLS),
    )
    with ThreadPoolExecutor(max_workers=2) as pool:  # the longest first
        list(pool.map(lambda name: _install(name, deadline - _TEST_SECONDS), names))
    if sys.argv[1:]:
        return _run_tests(deadline, [str(_TESTS), *sys.argv[1:]])
    first = [str(_TESTS / name) for name in _FIRST_HALF]
    parts = (first, [str(_TESTS), *(f"--ignore={name}" for name in first)])
    with ThreadPoolExecutor(max_workers=2) as pool:
        status = max(pool.map(lambda part: _run_tests(deadline, part), parts))
    print(f"{time.monotonic() - started:.0f} s, installing included")
    return status


def _run_tests(deadline: float, arguments: list[str]) -> int:
    """Prints pytest's output once it has ended; its status."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-rs", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, CHOSEN: "1"}, timeout=deadline - time.monotonic(), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        print((error.stdout or b"").decode(errors="replace"), flush=True)
        print(f"The tests took longer than {_LIMIT_SECONDS} s in all.", file=sys.stderr)
        return 1
    print(done.stdout, flush=True)
    return done.returncode


def _install(name: str, deadline: float) -> None:
    """Leaves the environment unmarked, so that its tests are skipped, where it cannot be installed
    before `deadline`, on the monotonic clock."""
    if is_installed(name):
        return
    print(f"==> Installing {packages_of(name)}", flush=True)
    make = _npm_install if name in NPM_PACKAGES else _python_install
    try:
        command = make(name)
        timeout = max(0.1, deadline - time.monotonic())
        if not subprocess.run(command, timeout=timeout, check=False).returncode:
            mark_installed(name)
            return
    except (OSError, subprocess.SubprocessError):  # no npm, or not in time
        pass
    print(f"{name} cannot be installed here in time: its tests are skipped.", flush=True)


def _python_install(name: str) -> list[str]:
    """With uv, which installs these in a tenth of pip's time."""
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run(
        [*uv, "venv", "--clear", "--python", sys.executable, folder_of(name)], check=True
    )
    return [*uv, "pip", "install", "--python", str(python_of(name)), *CLIENTS[name]]


def _npm_install(name: str) -> list[str]:
    folder = folder_of(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    overrides = json.dumps({"overrides": NPM_OVERRIDES.get(name, {})})
    (folder / "package.json").write_text(overrides, encoding="utf-8")
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    return ["npm", "install", "--prefix", str(folder), *quiet, *NPM_PACKAGES[name]]


if __name__ == "__main__":
    sys.exit(main())
