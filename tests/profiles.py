"""Runs the suite in one profile or in both: `python -m tests.profiles both|embedded|production […]`.

They run at once, since one alone leaves half of two processors idle, and what is the same on any
database beside them, once: the first speaks as it goes, the others are shown after it. What follows
the profile goes to pytest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TITLES = {
    "embedded": "==> Tests, embedded profile: SQLite, quotas in memory, broker in files",
    "production": "==> Tests, production profile: PostgreSQL, Redis",
    "once": "==> Tests of what is the same on any database, embedded profile",
}
SUITES = {
    "both": ("embedded", "production", "once"),
    "embedded": ("embedded", "once"),
    "production": ("production",),
}
NOTHING_COLLECTED = 5
# Empty counts as unset, and goes before what .env says.
NOTHING_NAMED = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"), "")


def run(names: Sequence[str], arguments: Sequence[str]) -> int:
    """Runs all at once, shows one after the other; 1 where any failed, or none had a test."""
    # Ctrl-C reaches the suites as well; they end by themselves, and are shown to their end.
    signal.signal(signal.SIGINT, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="kaivox-tests-") as folder:
        suites = [_start(name, arguments, Path(folder)) for name in names]
        signal.signal(signal.SIGTERM, lambda *_: _end(suites))
        statuses = {_show(process, log) for process, log in suites}
    return int(not {0} <= statuses <= {0, NOTHING_COLLECTED})


def _start(
    name: str, arguments: Sequence[str], folder: Path
) -> tuple[subprocess.Popen[bytes], Path]:
    var, log = folder / name, folder / f"{name}.log"
    var.mkdir()
    log.write_text(f"\n{TITLES[name]}\n")
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*_command(name), *arguments],
            env=_environment(name, var),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    if name != "production":
        # It is the longest, and waits for its servers: it goes first, or ends long after the others.
        os.setpriority(os.PRIO_PROCESS, process.pid, 5)
    return process, log


def _command(name: str) -> list[str]:
    pytest = [sys.executable, "-m", "pytest", "--part", "once" if name == "once" else "profile"]
    return [sys.executable, "-m", "tests.servers", *pytest] if name == "production" else pytest


def _environment(name: str, var: Path) -> Mapping[str, str]:
    named = {} if name == "production" else NOTHING_NAMED
    colour = {"PY_COLORS": "1"} if sys.stdout.isatty() else {}
    # Where bytecode is not kept, each of forty processes compiles our modules again: 0.3 s.
    kept = {"PYTHONDONTWRITEBYTECODE": ""}
    # A folder of the run: a `make up` beside it must not take our messages for its own.
    ours = {**named, **kept, "KAIVOX_VAR": str(var)}
    return {"PYTHONUNBUFFERED": "1", **colour, **os.environ, **ours}


def _end(suites: Sequence[tuple[subprocess.Popen[bytes], Path]]) -> None:
    for process, _ in suites:
        process.terminate()


def _show(process: subprocess.Popen[bytes], log: Path) -> int:
    """Prints what the suite has said and says, until it ends."""
    with log.open("rb") as said:
        ended = False
        while not ended:
            ended = process.poll() is not None
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
            time.sleep(0 if ended else 0.1)
    return process.returncode


def main() -> None:
    which = sys.argv[1] if len(sys.argv) > 1 else "both"
    if which not in SUITES:
        sys.exit("usage: python -m tests.profiles both|embedded|production [arguments of pytest]")
    sys.exit(run(SUITES[which], sys.argv[2:]))


if __name__ == "__main__":
    main()
