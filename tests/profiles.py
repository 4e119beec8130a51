"""Runs the suite in one profile or in both: `python -m tests.profiles both|embedded|production […]`.

`make test` calls it with `both`. It starts up to five pytest processes at the same time:

- embedded: SQLite, quotas in memory, a broker in files; without the tests marked
  `once_in_production`, where the production profile runs beside it;
- production: PostgreSQL, Redis and a broker, which `tests.servers` finds or starts; in two halves, each with a
  database of its own, as one process waits for its servers for half of the time;
- once: tests marked `once`, which depend on no database, in the embedded profile;
- browser: those of them that drive a browser, and mostly wait for it.

The output of the first is shown live, that of the others after it. Further arguments go to pytest.
For one test file plain `pytest tests/customers` is enough: it runs embedded.
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
    "production": "==> Tests, production profile: PostgreSQL, Redis; first half",
    "production-2": "==> Tests, production profile; second half",
    "once": "==> Tests that depend on no database, embedded profile",
    "browser": "==> Tests with a browser, embedded profile",
}
PRODUCTION = ("production", "production-2")
SUITES = {
    "both": ("embedded", *PRODUCTION, "once", "browser"),
    "embedded": ("embedded", "once", "browser"),
    "production": PRODUCTION,
}
NOTHING_COLLECTED = 5
# An empty variable counts as unset, and overrides .env.
NO_SERVERS = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"), "")


def run(names: Sequence[str], arguments: Sequence[str]) -> int:
    """Runs all of them concurrently. Returns 1 where any failed, or none had a test."""
    # Ctrl-C reaches the suites as well; they end by themselves, and their output is shown to its end.
    signal.signal(signal.SIGINT, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="kaivox-tests-") as folder:
        parts = {
            "production": ("profile", "--half", "first"),
            "production-2": ("profile", "--half", "second"),
            "embedded": ("shared" if "production" in names else "profile",),
            "once": ("once",),
            "browser": ("browser",),
        }
        suites = [
            _start(name, ["--part", *parts[name], *arguments], Path(folder)) for name in names
        ]
        signal.signal(signal.SIGTERM, lambda *_: _end(suites))
        statuses = {_show(process, log) for process, log in suites}
    return int(not {0} <= statuses <= {0, NOTHING_COLLECTED})


def _start(
    name: str, arguments: Sequence[str], folder: Path
) -> tuple[subprocess.Popen[bytes], Path]:
    var, log = folder / name, folder / f"{name}.log"
    var.mkdir()
    log.write_text(f"\n{TITLES[name]}\n")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_command(name), *arguments],
            env=_environment(name, var),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return process, log


def _command(name: str) -> list[str]:
    pytest = [sys.executable, "-m", "pytest"]
    return [sys.executable, "-m", "tests.servers", *pytest] if name in PRODUCTION else pytest


def _environment(name: str, var: Path) -> Mapping[str, str]:
    named = {} if name in PRODUCTION else NO_SERVERS
    colour = {"PY_COLORS": "1"} if sys.stdout.isatty() else {}
    # Without bytecode files each of forty processes compiles our modules again: 0.3 s.
    bytecode = {"PYTHONDONTWRITEBYTECODE": ""}
    # A data folder of the run: a `make up` beside it must not consume our messages.
    shared = {"KAIVOX_TEST_MIGRATED": str(var.parent / "migrated.sqlite3")}
    ours = {**named, **bytecode, **shared, "KAIVOX_VAR": str(var)}
    return {"PYTHONUNBUFFERED": "1", **colour, **os.environ, **ours}


def _end(suites: Sequence[tuple[subprocess.Popen[bytes], Path]]) -> None:
    for process, _ in suites:
        process.terminate()


def _show(process: subprocess.Popen[bytes], log: Path) -> int:
    """Prints the output of the suite until it ends; returns its exit status."""
    with log.open("rb") as output:
        ended = False
        while not ended:
            ended = process.poll() is not None
            sys.stdout.buffer.write(output.read())
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
