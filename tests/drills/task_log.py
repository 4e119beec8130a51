"""Log of the tasks that the workers of a drill have run: one file per process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "DRILL_TASKS"
SWEEP: Final = "webhooks.sweep"


def path_of(pid: int) -> Path:
    return Path(os.environ[VARIABLE]) / str(pid)


@dataclass(frozen=True)
class Run:
    pid: int
    at: float
    task: str


@dataclass(frozen=True)
class Tasks:
    """Reads the files that `tests.drills.celery_app` writes."""

    folder: Path

    def since(self, instant: float) -> list[Run]:
        """Every task that finished after `instant`, in Unix seconds."""
        return [
            Run(int(file.name), float(at), task)
            for file in self.folder.iterdir()
            for at, _, task in (line.partition(" ") for line in file.read_text().splitlines())
            if float(at) > instant
        ]

    def sweeps_since(self, instant: float) -> int:
        return sum(run.task == SWEEP for run in self.since(instant))
