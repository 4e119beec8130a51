"""Runs the suite in one profile or in both: `python -m tests.profiles both|embedded|production […]`.

Both run at once, since one alone leaves half of two processors idle: the embedded one speaks as it
goes, the production one is shown after it. What follows the profile goes to pytest.
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
}
# Empty counts as unset, and goes before what .env says.
NOTHING_NAMED = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY"), "")


def run(profiles: Sequence[str], arguments: Sequence[str]) -> int:
    """Runs all at once, shows one after the other; 1 where any failed."""
    # Ctrl-C reaches the suites as well; they end by themselves, and are shown to their end.
    signal.signal(signal.SIGINT, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="kaivox-tests-") as folder:
        suites = [_start(profile, arguments, Path(folder)) for profile in profiles]
        signal.signal(signal.SIGTERM, lambda *_: _end(suites))
        statuses = [_show(process, log) for process, log in suites]
    return int(any(statuses))


def _start(
    profile: str, arguments: Sequence[str], folder: Path
) -> tuple[subprocess.Popen[bytes], Path]:
    var, log = folder / profile, folder / f"{profile}.log"
    var.mkdir()
    log.write_text(f"\n{TITLES[profile]}\n")
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*_command(profile), *arguments],
            env=_environment(profile, var),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    return process, log


def _command(profile: str) -> list[str]:
    pytest = [sys.executable, "-m", "pytest"]
    return pytest if profile == "embedded" else [sys.executable, "-m", "tests.servers", *pytest]


def _environment(profile: str, var: Path) -> Mapping[str, str]:
    named = NOTHING_NAMED if profile == "embedded" else {}
    colour = {"PY_COLORS": "1"} if sys.stdout.isatty() else {}
    # A folder of the run: a `make up` beside it must not take our messages for its own.
    return {"PYTHONUNBUFFERED": "1", **colour, **os.environ, **named, "KAIVOX_VAR": str(var)}


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
    profiles = list(TITLES) if which == "both" else [which]
    if not set(profiles) <= set(TITLES):
        sys.exit("usage: python -m tests.profiles both|embedded|production [arguments of pytest]")
    sys.exit(run(profiles, sys.argv[2:]))


if __name__ == "__main__":
    main()
