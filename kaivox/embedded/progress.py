"""Progress output of commands: one line for each step that takes longer than a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

QUIET_SECONDS: Final = 1.0


class Progress:
    """`with progress.step("Migrating the database"): …`; `write` is called with one line."""

    def __init__(self, write: Callable[[str], object], quiet: float = QUIET_SECONDS) -> None:
        self._write = write
        self._quiet = quiet

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        announcement = threading.Timer(self._quiet, self._write, [f"==> {name} …"])
        announcement.daemon = True
        announcement.start()
        try:
            yield
        finally:
            announcement.cancel()
        seconds = time.monotonic() - started
        if seconds >= self._quiet:
            self._write(f"    {seconds:.0f} s")
