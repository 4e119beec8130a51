"""Collection of static files, skipped where nothing has changed since the last collection."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

_STAMP = ".collected"


def are_collected() -> bool:
    """Whether `STATIC_ROOT` is up to date with the files of the apps."""
    stamp = Path(settings.STATIC_ROOT) / _STAMP
    return stamp.is_file() and stamp.read_text() == _fingerprint()


def collect() -> None:
    root = Path(settings.STATIC_ROOT)
    call_command("collectstatic", interactive=False, verbosity=0)
    (root / _STAMP).write_text(_fingerprint())


def _fingerprint() -> str:
    found = hashlib.blake2b(settings.STORAGES["staticfiles"]["BACKEND"].encode(), digest_size=16)
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            found.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return found.hexdigest()
