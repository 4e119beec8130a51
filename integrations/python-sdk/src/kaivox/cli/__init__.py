"""The command `kaivox`, installed by `pip install 'kaivox[cli]'`."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Runs the command line."""
    if find_spec("typer") is None:
        sys.exit("This command needs two more packages. Run: pip install 'kaivox[cli]'")
    from kaivox.cli.app import run

    run()
