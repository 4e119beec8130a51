"""`manage.py up`: everything in one command, from an empty folder to a running KaiVox."""

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

from kaivox import static_files
from kaivox.demo import first_start, welcome
from kaivox.environment import make_folder
from kaivox.processes import Program, Supervisor
from kaivox.progress import Progress

START_SECONDS: Final = 60.0


class NotStarted(CommandError):
    """What stands in the way, and what to do about it, in one sentence."""


class Command(BaseCommand):
    help = "Starts everything on this machine: web, worker and beat, with demo data at first."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        self.progress = Progress(self.tell)
        try:
            make_folder(settings.VAR)
            refuse_taken_port(settings.HOST, settings.PORT)
            with the_only_one():
                self.prepare()
                self.run()
        except KeyboardInterrupt:
            self.tell("Stopped.")

    def tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def prepare(self) -> None:
        """Brings the database and the static files up to date; fills an empty database."""
        step = self.progress.step
        try:
            with step("Preparing the database"):
                migrate()
            if not static_files.are_collected():
                with step("Collecting static files"):
                    static_files.collect()
            with step("Filling the demo: a clinic, a salon and a gym"):
                first_start.fill_demo_once(now=timezone.now())
            self.password = first_start.make_administrator()
            self.keys = first_start.demo_keys(now=timezone.now())
        except DatabaseError as error:
            raise NotStarted(_about_database(error)) from error
        finally:
            connection.close()

    def run(self) -> None:
        """Runs the processes until SIGINT or SIGTERM; restarts what dies."""
        supervisor = Supervisor(programs(), environment(), self.tell)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: supervisor.ask_to_stop())
        try:
            supervisor.start()
            with self.progress.step("Starting the web server"):
                self.wait_for_web(supervisor)
            if not supervisor.is_stopping:
                self.tell(welcome.text(self.keys, self.password, now=timezone.now()))
            supervisor.watch()
        finally:
            self.tell("\nStopping …")
            supervisor.stop()
            self.tell("Stopped.")

    def wait_for_web(self, supervisor: Supervisor) -> None:
        """Returns when the web server answers. Raises NotStarted when it does not come up."""
        deadline = time.monotonic() + START_SECONDS
        while not supervisor.is_stopping and not _answers(f"{_local_url()}/healthz"):
            if supervisor.programs[0].exit_status is not None or time.monotonic() > deadline:
                raise NotStarted("The web server does not start; its own words stand above.")
            time.sleep(0.05)


def migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def programs() -> list[Program]:
    """Web first: its answers tell that we are up."""
    # Said at each start by root, whose own machine this is.
    unwarned = ["-W", "ignore:You're running the worker with superuser privileges"]
    celery = [sys.executable, *unwarned, "-m", "celery", "--quiet", "-A", "kaivox"]
    worker = ["--pool", "threads", "--concurrency", "8", "--queues", "celery,webhooks"]
    resilient = ["--without-gossip", "--without-mingle"]
    schedule = ["--schedule", str(settings.VAR / "beat-schedule"), "--pidfile="]
    quiet = ["--loglevel", "WARNING"]
    return [
        Program("web", [sys.executable, "-m", "kaivox.web"]),
        Program("worker", [*celery, "worker", *worker, *resilient, *quiet]),
        Program("beat", [*celery, "beat", *schedule, *quiet]),
    ]


def environment() -> dict[str, str]:
    """The processes' environment: ours, quieter, and over plain HTTP, which is all that is served."""
    return {"LOG_LEVEL": "WARNING", "HTTPS_ONLY": "0", "PYTHONUNBUFFERED": "1", **os.environ}


def refuse_taken_port(host: str, port: int) -> None:
    """Raises NotStarted where nobody can listen there."""
    try:
        family, kind, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except PermissionError as error:
        raise NotStarted(
            f"Port {port} needs special rights: choose one from 1024, like make up PORT=8001."
        ) from error
    except OSError as error:
        if isinstance(error, socket.gaierror) or "assign" in str(error):
            raise NotStarted(f"HOST={host} is no address of this machine.") from error
        raise NotStarted(
            f"Port {port} on {host} is in use: stop what listens there, "
            f"or choose another, like make up PORT={port + 1}."
        ) from error


@contextmanager
def the_only_one() -> Iterator[None]:
    """Holds the folder; raises NotStarted where another `up` does. The kernel lets go for us."""
    with open(settings.VAR / "up.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotStarted(
                f"KaiVox already runs with the folder {settings.VAR}: stop it, "
                "or give this one its own, like make up PORT=8001 KAIVOX_VAR=/tmp/kaivox."
            ) from error
        yield


def _local_url() -> str:
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    host = everywhere.get(settings.HOST, settings.HOST)
    return f"http://[{host}]:{settings.PORT}" if ":" in host else f"http://{host}:{settings.PORT}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own http://
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _about_database(error: DatabaseError) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if settings.EMBEDDED:
        return (
            f"The database {settings.DATABASES['default']['NAME']} cannot be used ({reason}): "
            "move it away to start anew, or set KAIVOX_VAR to another folder."
        )
    return f"The database that DATABASE_URL names cannot be used ({reason}): start it, or mend the URL."


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
