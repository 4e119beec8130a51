"""A database of its own, and the processes that work on it: what the drills are made with."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import django

from tests.stack import ROOT, empty_database

_CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "kaivox"]
_WORKER = [
    *_CELERY, "worker", "-P", "threads", "-c", "8", "-Q", "celery,webhooks",
    "--without-gossip", "--without-mingle", "-l", "WARNING",
]  # fmt: skip


class Process:
    """A child that can be killed and started again."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.log = command, log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(self.command, cwd=ROOT, stdout=output, stderr=output)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()

    def stop(self) -> None:
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def resident_mib(self) -> int:
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


class Rig:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.log = folder / "log"

    def worker(self) -> Process:
        return self._started([*_WORKER, "-n", f"{secrets.token_hex(4)}@drill"])

    def beat(self) -> Process:
        schedule = self.folder / f"beat-{secrets.token_hex(4)}"
        return self._started([*_CELERY, "beat", "--schedule", str(schedule), "--pidfile="])

    def web(self, port: int) -> Process:
        os.environ |= {"HOST": "127.0.0.1", "PORT": str(port)}
        if not os.environ.get("DATABASE_URL"):
            return self._started([sys.executable, "-m", "kaivox.web"])
        return self._started(
            [sys.executable, "-m", "gunicorn", "--config", "kaivox/gunicorn.py", "kaivox.wsgi"]
        )

    def _started(self, command: list[str]) -> Process:
        process = Process(command, self.log)
        self._stack.callback(process.stop)
        return process


@contextmanager
def rig(**variables: str) -> Iterator[Rig]:
    """Sets this process and its children up on an empty, migrated database. Once per process."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaivox-drill-")))
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "kaivox.settings",
            "KAIVOX_VAR": str(folder / "var"),
            "HTTPS_ONLY": "0",
            "WEBHOOK_ALLOW_PRIVATE": "1",
            **variables,
        }
        if os.environ.get("DATABASE_URL"):
            url = stack.enter_context(empty_database(f"drill_{secrets.token_hex(4)}"))
            os.environ["DATABASE_URL"] = url
        manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(manage, cwd=ROOT, check=True)
        django.setup()
        from django.db import connection

        stack.callback(connection.close)
        yield Rig(folder, stack)


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Returns how long it took. Raises AssertionError when it does not come true."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - begun
