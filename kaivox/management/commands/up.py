"""`manage.py up`: migrates, seeds the demo and runs web, worker and beat under one supervisor."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from kaivox.embedded import first_start, static_files, welcome
from kaivox.embedded.progress import Progress
from kaivox.embedded.supervisor import ManagedProcess, Supervisor

START_TIMEOUT_SECONDS: Final = 60.0


class StartError(CommandError):
    """The stack cannot start; the message is the cause and the fix in one sentence."""


class Command(BaseCommand):
    help = "Starts everything on this machine: web, worker and beat, with demo data on first start."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        self.progress = Progress(self.print)
        try:
            settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_port(settings.HOST, settings.PORT)
            with exclusive_lock():
                self.prepare()
                self.run()
        except KeyboardInterrupt:
            self.print("Stopped.")

    def print(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def prepare(self) -> None:
        """Migrates the database, collects static files, and seeds an empty database."""
        step = self.progress.step
        try:
            with step("Preparing the database"):
                migrate()
            if not static_files.are_collected():
                with step("Collecting static files"):
                    static_files.collect()
            with step("Creating demo data: a clinic, a salon, a gym and a restaurant"):
                first_start.seed_demo_once(now=timezone.now())
            self.password = first_start.make_administrator()
            self.keys = first_start.demo_keys(now=timezone.now())
        except DatabaseError as error:
            raise StartError(_database_message(error)) from error
        finally:
            connection.close()

    def run(self) -> None:
        """Runs the processes until SIGINT, SIGTERM or SIGHUP; restarts those that exit."""
        supervisor = Supervisor(programs(), environment(), self.print)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.request_stop())
        try:
            supervisor.start()
            with self.progress.step("Starting the web server"):
                self.wait_for_web(supervisor)
            if not supervisor.is_stopping:
                self.print(welcome.text(self.keys, self.password, now=timezone.now()))
            supervisor.watch()
        finally:
            self.print("\nStopping …")
            supervisor.stop()
            self.print("Stopped.")

    def wait_for_web(self, supervisor: Supervisor) -> None:
        """Returns when the web server responds. Raises StartError when it exits or times out."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not supervisor.is_stopping and not _responds(f"{_local_url()}/healthz"):
            if supervisor.programs[0].exit_status is not None or time.monotonic() > deadline:
                raise StartError("The web server does not start; its output is above.")
            time.sleep(0.05)


def migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def programs() -> list[ManagedProcess]:
    """The processes to supervise. Web is the first, whose responses end the start."""
    # Containers and test machines often run as root; the embedded profile accepts no remote messages.
    quiet = ["-W", "ignore:You're running the worker with superuser privileges"]
    celery = [sys.executable, *quiet, "-m", "celery", "--quiet", "-A", "kaivox"]
    worker = ["--pool", "threads", "--concurrency", "8", "--queues", "celery,webhooks"]
    single = ["--without-gossip", "--without-mingle"]  # there is no other worker to talk to
    return [
        ManagedProcess("web", [sys.executable, "-m", "kaivox.server.waitress"]),
        ManagedProcess("worker", [*celery, "worker", *worker, *single]),
        ManagedProcess("beat", [*celery, "beat"]),
    ]


def environment() -> dict[str, str]:
    """Environment of the processes: log level WARNING and plain HTTP, unless set otherwise."""
    return {"LOG_LEVEL": "WARNING", "HTTPS_ONLY": "0", "PYTHONUNBUFFERED": "1", **os.environ}


def check_port(host: str, port: int) -> None:
    """Raises StartError where the web server could not listen on `host` and `port`."""
    try:
        family, kind, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except PermissionError as error:
        raise StartError(
            f"Port {port} requires root privileges: choose one from 1024, like make up PORT=8001."
        ) from error
    except OSError as error:
        if isinstance(error, socket.gaierror) or "assign" in str(error):
            raise StartError(f"HOST={host} is not an address of this machine.") from error
        raise StartError(
            f"Port {port} on {host} is in use: stop the process that listens on it, "
            f"or choose another, like make up PORT={port + 1}."
        ) from error


@contextmanager
def exclusive_lock() -> Iterator[None]:
    """Locks the data folder; raises StartError where another `up` has locked it. The kernel releases
    the lock of a process that dies."""
    with open(settings.DATA_DIR / "up.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"KaiVox already runs with the folder {settings.DATA_DIR}: stop it, "
                "or use another folder, like make up PORT=8001 KAIVOX_VAR=/tmp/kaivox."
            ) from error
        yield


def _local_url() -> str:
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    host = wildcards.get(settings.HOST, settings.HOST)
    return f"http://[{host}]:{settings.PORT}" if ":" in host else f"http://{host}:{settings.PORT}"


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - an http:// URL of ours
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _database_message(error: DatabaseError) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if settings.EMBEDDED:
        return (
            f"The database {settings.DATABASES['default']['NAME']} cannot be used ({reason}): "
            "move it away to start with a new one, or set KAIVOX_VAR to another folder."
        )
    return f"The database of DATABASE_URL cannot be used ({reason}): start it, or correct the URL."


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
