"""Where the TypeScript SDK is, how it is compiled, and how a program that uses it is run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests import npm

FOLDER: Final = Path(__file__).parent.parent.parent / "integrations" / "typescript-sdk"
_BUILT: Final = ("node_modules", "dist")


def run(folder: Path, *command: str | Path, **variables: str) -> str:
    """What a command in this folder prints; it has to succeed."""
    inherited = {name: value for name, value in os.environ.items() if "KAIVOX_" not in name}
    done = subprocess.run(
        command, cwd=folder, env={**inherited, **variables}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def compile_into(folder: Path) -> Path:
    """A compiled copy of the package, in which `import … from "kaivox"` is the SDK."""
    return shutil.copytree(_compiled(), folder / "kaivox", symlinks=True)


def _compiled() -> Path:
    """The package as compiled once for this state of its files, by whichever process is the first."""
    modules = npm.node_modules()
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file() and _is_ours(path))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    compiled = npm.FOLDER / f"kaivox-{digest[:16]}"
    if not compiled.exists():
        with tempfile.TemporaryDirectory(dir=npm.FOLDER) as name:
            package = Path(name) / "kaivox"
            shutil.copytree(FOLDER, package, ignore=shutil.ignore_patterns(*_BUILT))
            (package / "node_modules").symlink_to(modules)
            run(package, modules / ".bin" / "tsc")
            with suppress(OSError):  # another process was faster
                package.rename(compiled)
    return compiled


def _is_ours(path: Path) -> bool:
    return not set(path.relative_to(FOLDER).parts) & set(_BUILT)
