"""Runs the benchmarks: all, or those named, as in `make bench ARGS="appointment_list"`."""

from __future__ import annotations

import subprocess
import sys
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
    wanted = sys.argv[1:] or known
    unknown = set(wanted) - set(known)
    if unknown:
        sys.exit(f"No bench is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}.")
    failed = []
    for name in wanted:
        print(f"\n==> {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
