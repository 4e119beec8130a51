"""The environment of a drill: an empty database and the processes that use it."""

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

from tests.drills import task_log
from tests.stack import ROOT, empty_database

_CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "tests.drills.celery_app"]
_WORKER = [
    *_CELERY, "worker", "-P", "threads", "-c", "8", "-Q", "celery,webhooks",
    "--without-gossip", "--without-mingle",
]  # fmt: skip


class Process:
    """A child process that can be killed and restarted, with the environment of its first start."""

    def __init__(self, command: list[str], log: Path, **variables: str) -> None:
        self.command, self.log = command, log
        self._environment = {**os.environ, **variables}
        self.start()

    def start(self, **variables: str) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**self._environment, **variables},
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()

    def stop(self) -> bool:
        """Sends SIGTERM; False where it had to be killed after 30 s."""
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    @property
    def resident_mib(self) -> int:
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


class Rig:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.log = folder / "log"
        self.tasks = task_log.Tasks(folder / "tasks")

    def worker(self) -> Process:
        return self._started([*_WORKER, "-n", f"{secrets.token_hex(4)}@drill"])

    def beat(self) -> Process:
        return self._started([*_CELERY, "beat"])

    def web(self, port: int) -> Process:
        address = {"HOST": "127.0.0.1", "PORT": str(port)}
        if not os.environ.get("DATABASE_URL"):
            return self._started([sys.executable, "-m", "kaivox.server.waitress"], **address)
        return self._started(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config",
                "kaivox/server/gunicorn.py",
                "kaivox.wsgi",
            ],
            **address,
        )

    def _started(self, command: list[str], **variables: str) -> Process:
        process = Process(command, self.log, **variables)
        self._stack.callback(process.stop)
        return process


@contextmanager
def rig(**variables: str) -> Iterator[Rig]:
    """Configures this process and its children for an empty, migrated database. Once per process."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaivox-drill-")))
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "kaivox.settings",
            "KAIVOX_VAR": str(folder / "var"),
            "HTTPS_ONLY": "0",
            "WEBHOOK_ALLOW_PRIVATE": "1",
            task_log.VARIABLE: str(folder / "tasks"),
            **variables,
        }
        (folder / "tasks").mkdir()
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
    """Returns the seconds until `condition` was true. Raises AssertionError after `seconds`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - started
