"""Runs the benchmarks: all, or those named, as in `make bench ARGS="appointment_list"`.

What follows a name is passed to it: `make bench ARGS="grammar --rows 100000"`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

HERE = Path(__file__).parent
NOT_BENCHES = {"__main__", "sink"}


def benches() -> list[str]:
    """Modules of this folder that can be run."""
    return sorted(
        path.stem
        for path in HERE.glob("*.py")
        if path.stem not in NOT_BENCHES and '__name__ == "__main__"' in path.read_text()
    )


def main() -> None:
    known = benches()
    names, options = _split(sys.argv[1:])
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"No bench is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}.")
    if options and len(names) != 1:
        sys.exit(f"Name the one bench that takes {' '.join(options)}.")
    failed = []
    for name in names or known:
        print(f"\n==> {name}", flush=True)
        command = [sys.executable, "-m", f"tests.bench.{name}", *options]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of benches, and the options that follow them."""
    names = list(takewhile(lambda one: not one.startswith("-"), arguments))
    return names, list(arguments[len(names) :])


if __name__ == "__main__":
    main()
