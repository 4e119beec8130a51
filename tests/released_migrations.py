"""Migrations that have been released: databases have run them, so their text never changes again.

python -m tests.released_migrations     adds those that are new, when a version is released
"""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_name("released_migrations.txt")


def released() -> dict[str, str]:
    """SHA-256 by path."""
    lines = (line.split("  ") for line in LIST.read_text().splitlines())
    return {path: digest for digest, path in lines}


def present() -> dict[str, str]:
    """SHA-256 by path, of every migration of the application."""
    apps = (init.parent for init in ROOT.glob("*/__init__.py") if init.parent.name != "tests")
    files = (path for app in apps for path in app.glob("**/migrations/[0-9]*.py"))
    return {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def main() -> None:
    digests = present() | released()
    LIST.write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items())))


if __name__ == "__main__":
    main()
