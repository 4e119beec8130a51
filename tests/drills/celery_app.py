"""KaiVox's Celery app with a log of each task that a worker has run."""

from __future__ import annotations

import os
import time
from typing import Any

from celery.signals import task_postrun

from kaivox.celery import app
from tests.drills import task_log

__all__ = ["app"]


@task_postrun.connect
def log_task(task: Any, **_: object) -> None:
    # One short write in append mode is atomic, so lines of several threads do not mix.
    descriptor = os.open(
        task_log.path_of(os.getpid()), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
    )
    try:
        os.write(descriptor, f"{time.time():.3f} {task.name}\n".encode())
    finally:
        os.close(descriptor)
