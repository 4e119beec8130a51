"""A migrated SQLite database for all processes of a run: the migrations take 5 s of CPU.

`tests.profiles` names a file in `KAIVOX_TEST_MIGRATED`. The first process that needs a database migrates
one and writes it there; those that come meanwhile wait for it, and copy it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from django.db import connection

VARIABLE = "KAIVOX_TEST_MIGRATED"
_locks: list[IO[str]] = []


def copy() -> bool:
    """Copies the database to where Django's test database is. False where there is none yet: then
    this process migrates its own and calls `share`."""
    file = os.environ.get(VARIABLE)
    if not file or connection.vendor != "sqlite":
        return False
    lock = Path(f"{file}.lock").open("w")  # noqa: SIM115 - open until `share`
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not Path(file).exists():
        _locks.append(lock)
        return False
    lock.close()
    shutil.copyfile(file, connection.settings_dict["TEST"]["NAME"])
    return True


def share() -> None:
    """Writes the migrated database for the others, where it is this process's to do."""
    if not _locks:
        return
    if is_test_database():
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [os.environ[VARIABLE]])
    _locks.pop().close()


def is_test_database() -> bool:
    """Whether Django has created its test database: it does not where no test asks for one."""
    return Path(str(connection.settings_dict["NAME"])).name.startswith("test")
