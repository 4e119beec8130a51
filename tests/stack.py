"""Runs KaiVox as its users do, in separate processes: web, worker and beat on an empty database.

Embedded profile: `manage.py up`. Production profile: gunicorn, a worker and beat, on a database,
a Redis and a broker of the run (`python -m tests.servers`).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.own_servers import free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120
ADMINISTRATOR_PASSWORD = "only-for-this-test-1"
BEHIND_NGINX = {
    "TRUSTED_PROXIES": "1",
    "ALLOWED_HOSTS": "api.kaivox.example,127.0.0.1",
    "WEB_PROCESSES": "2",
    "WEB_THREADS": "4",
}

# As `make release` and `seed_demo` do, in one process; static files only where some have changed.
_PREPARE = """
from django.core.management import call_command
from kaivox.embedded import static_files
call_command("migrate", verbosity=0)
static_files.are_collected() or static_files.collect()
call_command("seed_demo")
"""
STOP_SECONDS = 60


@dataclass(frozen=True)
class Stack:
    """A running KaiVox: its base URL, and the environment that its commands need."""

    url: str
    environment: dict[str, str]
    log: Path

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` prints on stdout."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,  # seeds the demo, on machines with other load
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def running_stack(folder: Path, migrated: str = "", **variables: str) -> Iterator[Stack]:
    """Starts everything on a free port and an empty database, or on a copy of the database named
    `migrated`, to which nothing may be connected; stops it at the end of the block."""
    port = free_port()
    environment = {
        **os.environ,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "KAIVOX_VAR": str(folder / "var"),
        "HTTPS_ONLY": "0",
        "WEBHOOK_ALLOW_PRIVATE": "1",
        "TWO_FACTOR_REQUIRED": "0",
        **variables,
    }
    log = folder / "log"
    with ExitStack() as stack:
        if os.environ.get("DATABASE_URL"):
            database = empty_database(f"flow_{port}", migrated or "template1")
            environment["DATABASE_URL"] = stack.enter_context(database)
        elif migrated:
            _copy(migrated, folder / "var")
        running = Stack(f"http://127.0.0.1:{port}", environment, log)
        if os.environ.get("DATABASE_URL"):
            running.manage("shell", "--no-imports", "-c", _PREPARE)
        for command in _commands():
            stack.enter_context(_process(command, environment, log))
        _wait_until_ready(running)
        yield running


def _copy(migrated: str, var: Path) -> None:
    var.mkdir(mode=0o700)
    with closing(sqlite3.connect(migrated)) as connection:
        connection.execute("VACUUM INTO ?", [str(var / "kaivox.sqlite3")])


def _commands() -> list[list[str]]:
    if not os.environ.get("DATABASE_URL"):
        return [[sys.executable, "manage.py", "up"]]
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "kaivox"]
    worker = ["worker", "--pool", "threads", "--concurrency", "8", "--queues", "celery,webhooks"]
    return [
        [sys.executable, "-m", "gunicorn", "--config", "kaivox/server/gunicorn.py", "kaivox.wsgi"],
        [*celery, *worker, "--without-gossip", "--without-mingle"],
        [*celery, "beat"],
    ]


@contextmanager
def _process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@contextmanager
def empty_database(name: str, template: str = "template1") -> Iterator[str]:
    """The URL of an empty database beside the one that DATABASE_URL names; what `template` has."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    maintenance = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(maintenance, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        # Not the connection from above: a drill may have killed the server meanwhile.
        with psycopg.connect(maintenance, autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))


def _wait_until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{stack.url}/readyz", timeout=2) as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"KaiVox does not start:\n{stack.log.read_text()[-4000:]}")
