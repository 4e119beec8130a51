"""What a command tells while it works: a line for each step that takes longer than a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

QUIET_SECONDS: Final = 1.0


class Progress:
    """`with progress.step("Migrating the database"): …`; `write` gets whole lines."""

    def __init__(self, write: Callable[[str], object], quiet: float = QUIET_SECONDS) -> None:
        self._write = write
        self._quiet = quiet

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        announcement = threading.Timer(self._quiet, self._write, [f"==> {name} …"])
        announcement.daemon = True
        announcement.start()
        try:
            yield
        finally:
            announcement.cancel()
        took = time.monotonic() - began
        if took >= self._quiet:
            self._write(f"    {took:.0f} s")
