"""npm packages that tests use, installed once under var/npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from django.conf import settings

PACKAGES: Final = (
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9.3",
    "@types/node@20.19.43",
    "standardwebhooks@1.1.1",
)
FOLDER: Final = settings.BASE_DIR / "var" / "npm"


def node_modules() -> Path:
    """The folder node_modules with PACKAGES. Skips the test, with the reason, where npm is missing or
    cannot install them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    installed = FOLDER / "installed"
    if not installed.exists() or installed.read_text() != " ".join(PACKAGES):
        FOLDER.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", FOLDER, *PACKAGES],
            cwd=FOLDER, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"npm cannot install here: {done.stderr.strip()[-200:]}")
        installed.write_text(" ".join(PACKAGES))
    return FOLDER / "node_modules"
